/** What this build calls itself to peers. */
export const SOFTWARE = 'reprise 0.1.0';
