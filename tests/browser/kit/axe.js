/*
 * Accessibility as axe-core sees it: nothing serious, nothing critical, by the rules of WCAG 2.2 AA.
 */
import assert from "node:assert/strict";
import AxeBuilder from "@axe-core/playwright";

const GRAVE = ["serious", "critical"];
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/**
 * Looks at the page as it now is.
 * @param {import("playwright-core").Page} page
 * @param {string} what names the page in a failure
 */
export async function assertAccessible(page, what) {
  // Colours are measured as they are painted: in the middle of a fade they are not yet.
  await page.evaluate(() => Promise.allSettled(document.getAnimations().map((animation) => animation.finished)));
  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  const grave = violations.filter(({ impact }) => GRAVE.includes(impact ?? ""));
  const told = grave.map(({ id, help, nodes }) => ({
    id,
    help,
    nodes: nodes.map(({ html, failureSummary }) => ({ html, failureSummary })),
  }));
  assert.deepEqual(told, [], `axe-core on ${what}`);
}
