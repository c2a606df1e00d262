// Shows the map: who asks, what is deployed, where it runs; a request, or a question, lights its way.

import { useState } from "preact/hooks";
import { hrefOf } from "./addresses";
import type { Emulator } from "./emulator";
import { MapClusters } from "./map_clusters";
import { Answer, type RouteAnswer, WhereForm } from "./map_question";
import { litByAnswer, litByRequest, NOTHING_LIT } from "./map_ways";
import { RefusalText, RejectedList, useRequest } from "./request_detail";
import type { RequestRow } from "./requests";
import { Close, nameOf, Outcome, short } from "./words";
import "./map.css";

export function MapPanel({ emulator, chosen }: { emulator: Emulator; chosen: string }) {
  const { row, isLooking } = useRequest(emulator, chosen);
  const [answer, setAnswer] = useState<RouteAnswer | undefined>(undefined);
  const state = emulator.state;
  const lit = answer
    ? litByAnswer(answer.explained, answer.caller)
    : chosen && row
      ? litByRequest(row, state?.user_id ?? "")
      : NOTHING_LIT;
  return (
    <section aria-labelledby="map-title">
      <h2 id="map-title">Map</h2>
      <WhereForm emulator={emulator} onAnswer={setAnswer} />
      {chosen && !answer && <WayOf row={row} id={chosen} isLooking={isLooking} />}
      {answer && <Answer answer={answer} onClose={() => setAnswer(undefined)} />}
      {state ? (
        <MapClusters emulator={emulator} state={state} lit={lit} />
      ) : (
        <p class="empty">Asking the emulator what there is …</p>
      )}
    </section>
  );
}

function WayOf({ row, id, isLooking }: { row: RequestRow | undefined; id: string; isLooking: boolean }) {
  if (!row) {
    return (
      <p class="empty" role="status">
        {isLooking ? "Looking for the request …" : "The emulator no longer keeps this request."}
      </p>
    );
  }
  const steps = [row.user, row.route?.deployment, row.nodepool, row.replica && `replica ${short(row.replica)}`];
  return (
    <div class="way" role="status">
      <Close panel="map" />
      <p>
        The way of <a href={hrefOf("requests", id)}>{nameOf(row)}</a> <Outcome row={row} />
      </p>
      {row.route && (
        <>
          <p>{steps.filter(Boolean).join(" → ")}</p>
          <p>
            <strong>{row.route.rule}</strong>: {row.route.reason}
          </p>
        </>
      )}
      {row.refusal && <RefusalText refusal={row.refusal} />}
      <RejectedList rejected={(row.route ?? row.refusal)?.rejected ?? []} />
    </div>
  );
}
