import { defineConfig } from "vitest/config";

// One script and one style sheet, named by what is in them, so that browsers may keep them for ever.
// Nothing in them depends on when, where or by whom they were built.
export default defineConfig({
  base: "/",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: ["chrome123", "firefox121", "safari17.5"],
    outDir: "dist",
    assetsDir: "assets",
    emptyOutDir: true,
    sourcemap: false,
    modulePreload: false,
    cssCodeSplit: false,
    assetsInlineLimit: 0,
  },
  // `npm run dev` shows the page of a collector that runs beside it.
  server: { proxy: { "/api": "http://127.0.0.1:9477" } },
  test: { include: ["tests/**/*.test.ts"] },
});
