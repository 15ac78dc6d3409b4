export { copyShipped } from './init.js';
