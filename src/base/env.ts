/** The only reader of the process environment. */
export const environment = (name: string): string | undefined => process.env[name];
