import { tryPages } from './pages.js';

tryPages('howtoFirst');
