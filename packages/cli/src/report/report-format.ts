/** The forms in which a review is told. Apart from what renders them, which `--help` need not load. */
export const reportFormats = ['text', 'json', 'sarif', 'codequality', 'markdown'] as const;
/** One of them. */
export type ReportFormat = (typeof reportFormats)[number];
