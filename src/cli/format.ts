import { Option } from 'commander';

export type Format = 'table' | 'json';

/** `--format`, the same for every command that answers. */
export const formatOption = (): Option =>
  new Option('--format <format>', 'table for people, json for programs').choices(['table', 'json']).default('table');
