import { expect } from '@jest/globals';
import { ANSWERS, type AnswerName } from '../../src/api/answers.js';

/**
 * Fails unless the value is the answer with that name. No member may be missing, and none may be undescribed.
 */
export function expectAnswer(name: AnswerName, value: unknown): void {
  // Parsing drops members that the schema does not know.
  expect(ANSWERS[name].parse(value)).toStrictEqual(value);
}
