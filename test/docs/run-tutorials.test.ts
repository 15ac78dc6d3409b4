import { tryPages } from './pages.js';

tryPages('tutorials');
