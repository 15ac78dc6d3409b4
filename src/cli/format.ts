import { Option } from 'commander';

export type Format = 'table' | 'json';

/** `--format`, the same for every command that answers. */
export const formatOption = (): Option =>
  new Option('--format <format>', 'table for people, json for programs').choices(['table', 'json']).default('table');

/** The same for a report that is also shown elsewhere. */
export const reportOption = (): Option =>
  new Option('--format <format>', 'table for people, markdown for a page, json for programs')
    .choices(['table', 'markdown', 'json'])
    .default('table');

export type ReportFormat = Format | 'markdown';
