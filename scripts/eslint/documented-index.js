import ts from 'typescript';

/**
 * Every name that an `index.ts` exports has a docstring where it is declared.
 * `jsdoc/require-jsdoc` sees one file at a time; this follows the name to its declaration.
 */
export const documentedIndex = {
  meta: {
    type: 'suggestion',
    schema: [],
    messages: { undocumented: '`{{name}}` is exported from its package and has no docstring where it is declared.' },
  },
  create(context) {
    const services = context.sourceCode.parserServices;
    if (!/[\\/]index\.ts$/.test(context.filename) || !services.program) return {};
    const checker = services.program.getTypeChecker();
    return {
      ExportSpecifier(node) {
        const symbol = services.getSymbolAtLocation(node.exported) ?? services.getSymbolAtLocation(node.local);
        if (symbol === undefined) return;
        const declared = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
        if (declared.getDocumentationComment(checker).length > 0) return;
        context.report({ node, messageId: 'undocumented', data: { name: node.exported.name } });
      },
    };
  },
};
