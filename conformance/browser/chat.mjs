// Plays one scenario with the chat page in a real Chromium and reports what it saw. It judges nothing: the test that started
// it does (`conformance/tests/browser.rs`).
//
//     node chat.mjs <scenario> <url of the page>
//
// It talks in lines of JSON. Out: {"step": …} for people, {"ask": …} for the test, which does what is asked and answers with
// any line, and last {"facts": …}. DUPLEXER_CHROMIUM names the browser, DUPLEXER_SCREENSHOTS a folder, and NODE_PATH the
// folder that holds playwright-core.

import { Stage } from "./stage.mjs";

const SCENARIOS = ["appearance", "endings", "exchange", "hostile", "restart", "uploads"];

const [scenario, url] = process.argv.slice(2);
if (!SCENARIOS.includes(scenario) || url === undefined) {
  console.error(`usage: node chat.mjs ${SCENARIOS.join("|")} <url of the page>`);
  process.exit(2);
}
const { play } = await import(`./scenarios/${scenario}.mjs`);
const stage = await Stage.open(url);
try {
  const facts = await play(stage);
  // What a page complains about, such as a breach of its content security policy, is a fact of every scenario.
  stage.tell({ facts: { ...facts, complaints: stage.complaints } });
} catch (error) {
  // What the pages showed tells more than where the script stood.
  console.error(`${scenario}: ${error.message}\n${await stage.describe()}`);
  process.exitCode = 1;
} finally {
  await stage.close();
}
// A scenario that broke off may have left something open that would keep this process alive.
process.exit();
