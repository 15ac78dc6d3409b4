/** A JSON value that was read strictly. Numbers keep their text: no two readers need agree on what 1e400 is. */
export type JsonTree = string | boolean | null | JsonNumber | JsonArray | JsonObject;

export interface JsonNumber {
  readonly number: string;
}

export type JsonArray = readonly JsonTree[];

/** In the order of the document, without a key twice. */
export type JsonObject = ReadonlyMap<string, JsonTree>;

export const isJsonObject = (tree: JsonTree | undefined): tree is JsonObject => tree instanceof Map;

export const isJsonArray = (tree: JsonTree | undefined): tree is JsonArray => Array.isArray(tree);
