/** Exit code of an agent that lost its leadership: whoever started it should start it again (sysexits EX_TEMPFAIL). */
export const lostLeadershipExit = 75;
