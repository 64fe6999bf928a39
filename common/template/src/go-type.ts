/** A property that names a value's Go type, for messages and `%T`. */
export const goType = Symbol('goType')

/** A property that holds the integer (a bigint) of a value whose Go type is an integer with methods, such as a duration. */
export const goInteger = Symbol('goInteger')

/** A property that gives the parameter types of an object's methods by name; those not named take anything. */
export const goMethods = Symbol('goMethods')
