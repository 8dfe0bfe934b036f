"use strict";
// Shows /openapi.json. Text from the document only ever becomes text, never markup.

const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};
const byId = (id) => document.getElementById(id);
let api;

const resolve = (schema) => (schema && schema.$ref ? api.components.schemas[schema.$ref.split("/").pop()] : schema) || {};
const nameOf = (schema) => {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.type === "array") return "list of " + nameOf(schema.items);
  if (schema.enum) return schema.enum.length > 12 ? "string" : schema.enum.join(" | ");
  return schema.format || schema.type || "any";
};

function fields(schema, depth = 0) {
  const object = resolve(schema && schema.type === "array" ? schema.items : schema);
  if (!object.properties || depth > 4) return null;
  const table = make("table");
  for (const [name, property] of Object.entries(object.properties)) {
    const text = make("td", {}, property.description || resolve(property).description || "");
    const inner = fields(property, depth + 1);
    if (inner) text.append(inner);
    const needed = (object.required || []).includes(name) ? "" : " ?";
    table.append(make("tr", {}, make("td", {}, make("code", {}, name + needed), make("div", { class: "dim" }, nameOf(property))), text));
  }
  return table;
}

function section(title, ...content) {
  const shown = content.filter(Boolean);
  return shown.length ? [make("h3", {}, title), ...shown] : [];
}

function tryIt(verb, path, operation) {
  const inputs = (operation.parameters || []).map((parameter) =>
    [parameter, make("input", { placeholder: parameter.name, "aria-label": parameter.name })]);
  const body = operation.requestBody ? make("textarea", { "aria-label": "body", spellcheck: "false" }, "{}") : null;
  const button = make("button", { type: "button" }, "Send");
  const output = make("pre", { hidden: "" });
  button.addEventListener("click", async () => {
    let target = path;
    const query = new URLSearchParams();
    for (const [parameter, input] of inputs) {
      if (parameter.in === "path") target = target.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (input.value) query.set(parameter.name, input.value);
    }
    if (query.size) target += "?" + query;
    const headers = byId("key").value ? { "X-Blnk-Key": byId("key").value } : {};
    output.hidden = false;
    try {
      const response = await fetch(target, { method: verb.toUpperCase(), headers, body: body ? body.value : undefined });
      // Shown as it came: a JavaScript number would round what the ledger keeps exact.
      output.textContent = `${response.status} ${response.statusText}\n\n${await response.text()}`;
    } catch (error) {
      output.textContent = String(error);
    }
  });
  return [...inputs.map(([, input]) => input), body, button, output].filter(Boolean);
}

function show(verb, path, operation) {
  const parameters = make("table");
  for (const parameter of operation.parameters || []) {
    parameters.append(make("tr", {}, make("td", {}, make("code", {}, parameter.name), make("div", { class: "dim" }, `${parameter.in}, ${nameOf(parameter.schema)}`)),
      make("td", {}, parameter.description || "")));
  }
  const bodySchema = operation.requestBody && operation.requestBody.content["application/json"].schema;
  const answers = Object.entries(operation.responses).flatMap(([status, answer]) => {
    const schema = answer.content && answer.content["application/json"] && answer.content["application/json"].schema;
    const title = `${status === "default" ? "Errors" : status}: ${answer.description}`;
    return section(title, make("div", { class: "dim" }, nameOf(schema)), status === "default" ? null : fields(schema));
  });
  const details = make("details", { class: "operation", id: operation.operationId },
    make("summary", {}, make("span", { class: `verb ${verb}` }, verb), make("code", {}, path), make("span", { class: "dim" }, operation.summary || "")),
    make("div", {}, make("p", {}, operation.description || ""),
      ...section("Parameters", parameters.childElementCount ? parameters : null),
      ...section("Body", bodySchema ? make("div", { class: "dim" }, nameOf(bodySchema)) : null, bodySchema ? fields(bodySchema) : null),
      ...answers,
      ...section("Try it", make("div", { class: "try" }, ...tryIt(verb, path, operation)))));
  details.dataset.words = `${verb} ${path} ${operation.summary} ${operation.tags}`.toLowerCase();
  return details;
}

function open() {
  const target = byId(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === "DETAILS") { target.open = true; target.scrollIntoView(); }
}

async function start() {
  api = await (await fetch("/openapi.json")).json();
  byId("version").textContent = api.info.version;
  byId("about").textContent = api.info.description;
  const groups = new Map();
  for (const [path, verbs] of Object.entries(api.paths))
    for (const [verb, operation] of Object.entries(verbs)) {
      const tag = operation.tags[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push([verb, path, operation]);
    }
  for (const [tag, operations] of groups) {
    byId("contents").append(make("h2", {}, tag));
    byId("operations").append(make("h2", {}, tag));
    for (const [verb, path, operation] of operations) {
      byId("contents").append(make("a", { href: "#" + operation.operationId }, make("span", { class: `verb ${verb}` }, verb), path));
      byId("operations").append(show(verb, path, operation));
    }
  }
  byId("search").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase();
    for (const details of document.querySelectorAll("details.operation")) details.hidden = !details.dataset.words.includes(wanted);
  });
  addEventListener("hashchange", open);
  open();
}

start().catch((error) => { byId("about").textContent = "The document could not be loaded: " + error; });
