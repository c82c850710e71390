// What other people's packages make of deliveries: standardwebhooks and cloudevents of npm.
//
// Reads a list of deliveries from the standard input, prints for each whether its signature was accepted and which events
// were read from it.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../../target/oracles-node/package.json", import.meta.url));
const { Webhook } = require("standardwebhooks");
const { HTTP } = require("cloudevents");

// The package decodes no attribute (the HTTP binding says that a receiver must), so what it hands over is decoded here.
const decoded = (value, mode) => (mode === "binary" ? decodeURIComponent(value) : value);

const answers = JSON.parse(readFileSync(0, "utf8")).map(({ mode, secret, headers, body }) => {
  try {
    new Webhook(secret).verify(body, headers);
  } catch {
    return { accepted: false };
  }
  const read = HTTP.toEvent({ headers, body });
  const events = (Array.isArray(read) ? read : [read]).map((event) => {
    const { id, source, type, subject, time, partitionkey, data } = event;
    return { id, source, type, time, data, subject: decoded(subject, mode), partitionkey: decoded(partitionkey, mode) };
  });
  return { accepted: true, events };
});
process.stdout.write(JSON.stringify(answers));
