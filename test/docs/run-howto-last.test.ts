import { tryPages } from './pages.js';

tryPages('howtoLast');
