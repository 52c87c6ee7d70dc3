// Calls methods with the unmodified npm SDK of CALLR, one after the other, and prints what it says.
// Standard input: {"port", "login", "password", "loginAs", "calls": [[method, ...params], ...]}.
// The SDK always connects to port 443 with TLS; an agent of ours dials the plain port instead.
"use strict";
const https = require("https");
const net = require("net");
const callr = require("callr");

const given = JSON.parse(require("fs").readFileSync(0, "utf8"));

class PlainAgent extends https.Agent {
  createConnection() {
    return net.connect(given.port, "127.0.0.1");
  }
}

const api = new callr.api(given.login, given.password, { proxyAgent: new PlainAgent() });
api.apiUrl = "https://127.0.0.1/json-rpc/v1.1/";
if (given.loginAs) api.setLoginAs("user", given.loginAs);

function next(calls) {
  if (!calls.length) return;
  const say = (what) => {
    console.log(JSON.stringify(what));
    next(calls.slice(1));
  };
  api.call(...calls[0])
    .success((result) => say({ result }))
    .error((error) => say({ code: error.code, message: error.message }));
}

next(given.calls);
