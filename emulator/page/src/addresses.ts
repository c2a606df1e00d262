// Gives each panel, and what is shown in it, an address of its own, behind the # of the page's.

import { useEffect, useState } from "preact/hooks";

export interface Place {
  panel: string;
  item: string;
  // What stands after a `?`: the values that a form begins with.
  given: Record<string, string>;
}

export function hrefOf(panel: string, item = "", given: Record<string, string> = {}): string {
  const words = new URLSearchParams(given).toString();
  const path = item ? `/${item.split("/").map(encodeURIComponent).join("/")}` : "";
  return `#/${panel}${path}${words ? `?${words}` : ""}`;
}

function placeNow(): Place {
  const [path = "", words = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [panel = "", ...rest] = path.split("/");
  const given = Object.fromEntries(new URLSearchParams(words));
  try {
    return { panel, item: rest.map(decodeURIComponent).join("/"), given };
  } catch {
    return { panel, item: "", given };
  }
}

export function usePlace(): Place {
  const [place, setPlace] = useState(placeNow);
  useEffect(() => {
    const changed = () => setPlace(placeNow());
    window.addEventListener("hashchange", changed);
    return () => window.removeEventListener("hashchange", changed);
  }, []);
  return place;
}
