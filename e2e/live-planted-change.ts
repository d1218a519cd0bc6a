import type { LiveTree } from './live-tree.ts';
import type { LiveChangePlan } from './open-live-change.ts';

const folder = 'drydock-live/shop';
const searchPath = `${folder}/find-orders.ts`;
const reportPath = `${folder}/monthly-report.ts`;
const oldReportPath = `${folder}/report.ts`;

const database = `/** The shop's database. */
export interface Database {
  query<Row>(statement: string, values?: readonly unknown[]): Promise<Row[]>;
}
`;

const search = `import type { Database } from './database.ts';

/** An order as the database keeps it. */
export interface Order {
  readonly id: number;
  readonly customer: string;
  readonly cents: number;
}

/** The newest orders first. */
export async function latestOrders(database: Database): Promise<Order[]> {
  return database.query<Order>('SELECT id, customer, cents FROM orders ORDER BY id DESC LIMIT 50');
}
`;

const injectionLine =
  "  return database.query<Order>(`SELECT id, customer, cents FROM orders WHERE customer = '${customer}'`);";
const parameterLine =
  "  return database.query<Order>('SELECT id, customer, cents FROM orders WHERE customer = $1', [customer]);";
const searchWith = (line: string) => `${search}
/** The orders of one customer, whose name comes from the address of the request. */
export async function ordersOf(database: Database, customer: string): Promise<Order[]> {
${line}
}
`;

const report = `import type { Order } from './find-orders.ts';

/** What one customer spent. */
export interface ReportLine {
  readonly customer: string;
  readonly cents: number;
}

/** One line for each customer, by name. */
export function reportLines(orders: readonly Order[]): ReportLine[] {
  const centsByCustomer = new Map<string, number>();
  for (const order of orders) {
    centsByCustomer.set(order.customer, (centsByCustomer.get(order.customer) ?? 0) + order.cents);
  }
  return [...centsByCustomer]
    .map(([customer, cents]) => ({ customer, cents }))
    .sort((left, right) => left.customer.localeCompare(right.customer));
}
`;

const offByOneLine = '  for (let index = 0; index <= lines.length; index += 1) {';
const monthlyReport = `${report}
/** What all customers spent together. */
export function totalCents(lines: readonly ReportLine[]): number {
  let total = 0;
${offByOneLine}
    total += lines[index].cents;
  }
  return total;
}
`;

const base: LiveTree = { [`${folder}/database.ts`]: database, [searchPath]: search, [oldReportPath]: report };
const head: LiveTree = {
  [`${folder}/database.ts`]: database,
  [searchPath]: searchWith(injectionLine),
  [reportPath]: monthlyReport,
};

/** A small change with two bugs that nobody overlooks, one of them in a renamed file. */
export const plantedChange: LiveChangePlan = {
  title: 'Drydock live test: orders of a customer and a monthly report',
  base,
  head,
  moves: { [reportPath]: oldReportPath },
};

/** The next push: the query is mended, and the loop, untouched, moves down. */
export const mendedTree: LiveTree = {
  ...head,
  [searchPath]: searchWith(parameterLine),
  [reportPath]: `// All amounts are whole cents.\n// They are shown as euros by the page.\n\n${monthlyReport}`,
};
/** By how many lines the loop moves. */
export const linesMoved = 3;

/** A planted bug. A comment is about it when it stands on one of its lines; they are 1-based, those of the first push. */
export interface PlantedBug {
  readonly name: string;
  readonly path: string;
  readonly startLine: number;
  readonly endLine: number;
  /** The first of its lines. */
  readonly code: string;
}

function bug(name: string, path: string, code: string, lineCount: number): PlantedBug {
  const content = head[path];
  const startLine = typeof content === 'string' ? content.split('\n').indexOf(code) + 1 : 0;
  return { name, path, startLine, endLine: startLine + lineCount - 1, code };
}

/** Goes with the second push. */
export const injection = bug('the SQL injection', searchPath, injectionLine, 1);
/** Stays. */
export const offByOne = bug('the off-by-one in the renamed file', reportPath, offByOneLine, 2);
