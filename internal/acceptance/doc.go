// Package acceptance holds the acceptance tests of the product that concern
// several rooms and every channel at once. Each is named after the criterion
// that it shows, and lists what must not appear as well as what must. It holds
// tests only.
package acceptance
