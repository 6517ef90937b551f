/** Keeps a page fresh while it is looked at, every so many seconds (data-refresh). */
import { replaceParts } from "./parts.js";

const root = document.querySelector("[data-refresh]");

if (root) setInterval(() => document.hidden || replaceParts(root), Number(root.dataset.refresh) * 1000);
