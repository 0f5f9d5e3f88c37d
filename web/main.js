/*
 * Where the page begins: the client that talks to the server, and the screen that draws its state.
 */

import { createClient } from "./net/connection.js";
import { startApp } from "./ui/app.js";

const root = document.querySelector("#app");
if (root instanceof HTMLElement) startApp(createClient(), root);
