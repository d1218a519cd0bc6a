// Jest runs each test file in a realm of its own, where errors that Node itself throws (fs, net, fetch) are not
// `instanceof Error`. Here they are again, so that the product's code needs no detour that only a test would take.

/** Whether a class of that name is in the value's prototype chain, of whichever realm. */
function descendsFrom(value, name) {
  for (let proto = Object.getPrototypeOf(value); proto !== null; proto = Object.getPrototypeOf(proto)) {
    if (proto.constructor?.name === name) return true;
  }
  return false;
}

for (const native of [Error, AggregateError, RangeError, SyntaxError, TypeError]) {
  Object.defineProperty(native, Symbol.hasInstance, {
    value(value) {
      // Inherited by every subclass, which keeps the usual meaning.
      if (this !== native) return Function.prototype[Symbol.hasInstance].call(this, value);
      return typeof value === 'object' && value !== null && descendsFrom(value, native.name);
    },
  });
}
