// The closed lists of names, as the collector tells them, and what a person means by half a filter.

import { ask } from "./api";
import type { Vocabulary } from "./answers";
import { Cell } from "./state";

export const vocabulary = new Cell<Vocabulary>({});

/** Asks once; without it names are shown as they are. */
export async function learn(): Promise<void> {
  try {
    vocabulary.set(await ask<Vocabulary>("vocabulary"));
  } catch {
    // The first question of a page says what is wrong.
  }
}

/** What a name means, in a sentence; "" if that is not known. */
export function meaning(list: string, name: string): string {
  return vocabulary.value[list]?.find((word) => word.name === name)?.meaning ?? "";
}

/** All filters by names that there are: `impact=aborted` ... */
export function choices(known: Vocabulary): string[] {
  const named = Object.entries(known).flatMap(([list, words]) => words.map((word) => `${list}=${word.name}`));
  return [...named, "server=", "client=", "port="];
}

/** A bare address is a server, ":443" a port; all else stays. */
export function meant(text: string): string {
  if (/^:\d{1,5}$/.test(text)) return `port=${text.slice(1)}`;
  const isAddress = /^\d{1,3}(\.\d{1,3}){3}(\/\d{1,2}|:\d{1,5})?$/.test(text) || /^\[?[0-9a-f]*:[0-9a-f:.]+\]?(\/\d{1,3}|:\d{1,5})?$/i.test(text);
  return isAddress ? `server=${text}` : text;
}
