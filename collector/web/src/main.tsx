import { render } from "preact";
import { App } from "./app";
import { listen } from "./live";
import { begin } from "./state";
import { learn } from "./words";
import "./style.css";

begin();
listen();
void learn();
const root = document.getElementById("page");
if (root) {
  root.replaceChildren();
  render(<App />, root);
}
