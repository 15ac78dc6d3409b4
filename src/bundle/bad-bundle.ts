/** What is wrong with a bundle or its signature. Thrown and caught inside this room. */
export class BadBundle extends Error {}
