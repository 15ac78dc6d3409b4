/** Sessions that the memory server has given out, each with the caller that opened it. */
export interface Sessions {
  /** Key of the caller whose session it is; null for one that nobody opened here, or whose time is over. Counts as a use. */
  ownerOf(id: string): string | null;
  /** @returns false where it is somebody else's */
  opened(id: string, owner: string): boolean;
  ended(id: string): void;
}
