// Gives each panel, and what is shown in it, an address of its own, behind the # of the page's.

import { useEffect, useState } from "preact/hooks";

export interface Place {
  panel: string;
  item: string;
}

export function hrefOf(panel: string, item = ""): string {
  return `#/${panel}${item ? `/${item.split("/").map(encodeURIComponent).join("/")}` : ""}`;
}

function placeNow(): Place {
  const [panel = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  try {
    return { panel, item: rest.map(decodeURIComponent).join("/") };
  } catch {
    return { panel, item: "" };
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
