import { z } from 'zod';

/** A number of things, far below 2^53. */
export const Count = z.int().min(0);
/** An RFC 3339 instant in UTC. Instants from the trail have microseconds. */
export const Instant = z.iso.datetime();
