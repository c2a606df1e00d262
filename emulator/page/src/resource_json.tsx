// Shows a JSON value as text, in which what names another resource is a link to it.

import type { ComponentChildren } from "preact";
import { hrefOf } from "./addresses";
import type { ResourceLink } from "./resources_told";

type Path = (string | number)[];

export function ResourceJson({ value, links }: { value: unknown; links: ResourceLink[] }) {
  const byPath = new Map(links.map((each) => [JSON.stringify(each.at), each]));
  return <pre>{shown(value, [], byPath)}</pre>;
}

function shown(value: unknown, at: Path, links: Map<string, ResourceLink>): ComponentChildren {
  if (Array.isArray(value)) {
    const items = value.map((each, index) => shown(each, [...at, index], links));
    return bracketed("[", "]", items, at.length);
  }
  if (value !== null && typeof value === "object") {
    const items = Object.entries(value).map(([name, each]) => [
      `${JSON.stringify(name)}: `,
      shown(each, [...at, name], links),
    ]);
    return bracketed("{", "}", items, at.length);
  }
  const link = links.get(JSON.stringify(at));
  const text = JSON.stringify(value);
  return link ? <a href={hrefOf("resources", `${link.kind}/${link.key}`)}>{text}</a> : text;
}

function bracketed(begin: string, end: string, items: ComponentChildren[], depth: number): ComponentChildren {
  if (!items.length) return begin + end;
  const indent = "  ".repeat(depth);
  const lines = items.map((each, index) => [`\n${indent}  `, each, index < items.length - 1 ? "," : ""]);
  return [begin, lines, `\n${indent}`, end];
}
