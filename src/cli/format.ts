import { Option } from 'commander';

/** `--format`, for commands whose answer people and programs read. */
export const formatOption = (): Option =>
  new Option('--format <format>', 'text for people, json for programs').choices(['text', 'json']).default('text');
