export { openBundleServer, type BundleServer, type BundleServerOptions, type ServerState } from './bundle-server.js';
export { filesOver, openKeeper, writeDurably, type Content, type Keeper, type Kept, type Rollback } from './kept.js';
export { atOneMoment, Snapshot } from './snapshot.js';
export { startWatch, type Watch } from './watch.js';
