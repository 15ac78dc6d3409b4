import { tryPages } from './pages.js';

tryPages('others');
