import { expect } from '@jest/globals';
import { ANSWERS, type AnswerName } from '../../src/api/answers.js';

/**
 * Fails unless the value is the answer of that name: without a member that is missing, and without one that
 * is not described.
 */
export function expectAnswer(name: AnswerName, value: unknown): void {
  // Parsing leaves out what the schema does not know.
  expect(ANSWERS[name].parse(value)).toStrictEqual(value);
}
