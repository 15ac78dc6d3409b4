import { visible } from '../base/encoding.js';
import type { JsonValue } from '../model/audit.js';

export type Part = Readonly<Record<string, JsonValue>>;
export type Row = readonly [name: string, value: string | number | null];

// The process that answers may be of another version: what it leaves out is left out here.
export const partOf = (value: JsonValue | undefined): Part =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Part) : {};
export const listOf = (value: JsonValue | undefined): readonly JsonValue[] =>
  Array.isArray(value) ? (value as readonly JsonValue[]) : [];
export const textOf = (value: JsonValue | undefined): string | number | null => {
  if (value === undefined || value === null) return null;
  return typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value);
};
export const linesOf = (values: readonly JsonValue[], indent = ''): string =>
  values.map((value) => `${indent}${visible(String(textOf(value)))}\n`).join('');
