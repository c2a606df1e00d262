// Writes numbers and sizes for people.

export function count(number: number): string {
  return number.toLocaleString("en");
}

export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} ${bytes === 1 ? "byte" : "bytes"}`;
  const [amount, unit] = bytes < 1024 * 1024 ? [bytes / 1024, "KiB"] : [bytes / 1024 / 1024, "MiB"];
  return `${amount.toFixed(amount < 10 ? 1 : 0)} ${unit}`;
}
