import { useLayoutEffect, useState } from "preact/hooks";

/** Width of an element in pixels, as it changes. */
export function useWidth(holder: { current: HTMLElement | null }, usual: number): number {
  const [width, set] = useState(usual);
  useLayoutEffect(() => {
    const element = holder.current;
    if (!element) return undefined;
    const measure = () => set(Math.max(120, Math.floor(element.clientWidth)));
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  return width;
}
