/* peerguard: may I talk to this peer now, and how much may I send?
 *
 * A circuit breaker, a reputation and byte limits for every peer of a peer-to-peer node, under one gate.
 *
 *     peerguard_config config;
 *     peerguard_guard guard;
 *     peerguard_config_init(&config, sizeof config);
 *     if (peerguard_new(&config, NULL, &guard) != PEERGUARD_OK) ...
 *
 *     peerguard_permit permit;
 *     peerguard_rejection no;
 *     switch (peerguard_admit(guard, &id, &permit, &no)) {
 *     case PEERGUARD_OK: {
 *         int well = sync_with(&id);
 *         peerguard_report(guard, &permit, well ? PEERGUARD_SYNC_SUCCESS : PEERGUARD_SYNC_FAILURE,
 *                          PEERGUARD_NONE, NULL, NULL);
 *         break;
 *     }
 *     case PEERGUARD_NO: come_back(no.reason, no.retry_after); break;
 *     default: a bug of the caller's; see peerguard_status_text
 *     }
 *
 *     peerguard_free(guard);
 *
 * What holds for every function:
 *
 * - Answers. PEERGUARD_OK (0) is yes or done; PEERGUARD_NO (1) is no; what is negative is an error, and then, but for
 *   PEERGUARD_ERR_PANIC, nothing was done. Refusals are not errors.
 * - Memory. What is handed out is copied into memory of yours; nothing is borrowed. The only texts that are returned are
 *   static. Pointers are used during the call only, except a clock's context.
 * - Pointers. NULL and misaligned ones are refused with a code; NULL is fine only where it says so. That the memory is
 *   there and large enough cannot be checked.
 * - Structs that may grow begin with struct_size; set it to the sizeof of yours, or let the init function do it.
 * - Handles (guards, peers, snapshots, exporters, texts) are 64-bit values, not pointers. One that was freed, that is of
 *   another kind, or that was never given out is refused with a code. Freeing waits for the calls that other threads are
 *   making on it.
 * - Threads. Every function may be called from any thread at any time, on the same handles too. None blocks another but
 *   what makes or frees handles and the publications of an exporter. Memory that you pass must not be written by others
 *   meanwhile.
 * - Not from inside: a call on a handle that is made by a clock of yours, or by a signal handler, while the same thread is
 *   in a call is refused with PEERGUARD_ERR_REENTRANT. What makes or frees a handle must not be called by a signal handler at
 *   all: it might wait for a lock that the interrupted thread holds.
 * - After fork, a child that runs another program needs nothing. One that goes on has a copy of the guards as they stood,
 *   without the threads: it may make guards of its own, and must neither use nor free handles from before. A free might
 *   wait for ever for a thread that is not there, an exporter has stopped, and what is recorded reaches the child only.
 * - Of several errors in one call one is told.
 * - Bugs of the library come back as PEERGUARD_ERR_PANIC, with a message on the standard error output; the process goes
 *   on. Only the want of memory ends it.
 * - Times are nanoseconds, rates are bytes per second, ids are 32 bytes.
 */
