/**
 * Set in the environment of the parts that `up` starts: an elected agent that lost its leadership ends, as upstream's
 * does, and something has to start it again. Here it becomes a new run of itself; elsewhere a service manager does that.
 */
export const restartInPlace = "BARQUE_RESTART_IN_PLACE";
