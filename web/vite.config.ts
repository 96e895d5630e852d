import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `npm run dev` shows the pages against a running `fairway up`; FAIRWAY says where it is.
const fairway = process.env["FAIRWAY"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../src/fairway/front/static",
    emptyOutDir: true,
    // Everything in files of our own: the front door's content policy forbids inline data.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: Object.fromEntries(
      ["/apis", "/k8s", "/front", "/gateway", "/login", "/logout", "/favicon.svg"].map((path) => [path, fairway]),
    ),
  },
});
