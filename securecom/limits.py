"""Every size, count, rate and wait in securecom, each with the reason for its value.

Sizes are bytes, waits are seconds, unless a name says otherwise.
"""

# --- frames (docs/protocol.md, "Framing") ---------------------------------------------------

#: Lane byte and three length bytes.
FRAME_HEADER = 4
#: The longest body of a frame: a 16 KiB message, its AMP keys, its padding.
MAX_BODY = 18 * 1024
#: Opaque bytes in one frame of the chat lane: a whole TLS record fits two.
MAX_CHAT_CHUNK = 16 * 1024
#: Bytes of a command's tag, which our answer repeats: 64 bits in hexadecimal digits.
MAX_TAG = 16
#: Commands of ours whose answer is no longer awaited, but may come: an older one is a violation.
GIVEN_UP_ANSWERS = 64
#: Commands a peer may have waiting for our answer; more is flooding.
MAX_UNANSWERED = 32
#: Bytes of our answers that a peer may leave unread once its transport is full. The receipts of
#: `MAX_UNDELIVERED` messages take 16 KiB; more is a peer that asks and does not read.
MAX_UNREAD_ANSWERS = 64 * 1024

# --- messages -------------------------------------------------------------------------------

#: A message's text as UTF-8. Longer text is refused before it is sent.
MAX_TEXT = 16 * 1024
#: Every control frame inside a chat is a multiple of this long, header included, so that
#: its length tells little.
CHAT_PADDING = 256
#: Messages sent but not yet acknowledged; the next is refused with an error. A receiver cuts off
#: who sends more while none of these receipts has left: nobody who counts can.
MAX_UNDELIVERED = 64
#: Messages the callee may type before the caller has spoken.
MAX_HELD_BACK = 64

# --- names, links, keys ---------------------------------------------------------------------

#: Characters of a name: fits a column on every terminal.
MAX_NAME = 32
#: Random bytes in an invitation's token (the floor is 128 bits).
TOKEN_BYTES = 20
#: Characters of a host name (RFC 1035), and of each of its labels.
MAX_HOST = 253
MAX_LABEL = 63
#: Characters of an invitation link, so that a file given by mistake is not parsed.
MAX_LINK = 512
#: bcrypt rounds of the identity file: about half a second on a small machine.
BCRYPT_ROUNDS = 64
#: bcrypt rounds of an identity file that is opened at all: half a minute on a small machine. The
#: number stands in the file, and a damaged or hostile one would keep us busy for days.
MAX_BCRYPT_ROUNDS = 4096
#: Links of a chain of keys that a server keeps for a name and a client follows: who has not met
#: somebody for eight new keys sees a changed one. 1536 bytes in a request.
MAX_SUCCESSIONS = 8
#: New keys of one person in NEW_KEY_WINDOW: each is a write to the disk, and moves an old link out.
NEW_KEYS = 1
#: Tries of one person in NEW_KEY_WINDOW, whatever comes of them: each is two signatures to check
#: and a look at the registry, behind which everybody else's log-in waits.
NEW_KEY_TRIES = 10
#: The window of these two rates.
NEW_KEY_WINDOW = 300.0
#: Bytes of an identity file that is read at all.
MAX_IDENTITY_FILE = 16 * 1024

# --- deadlines of a connection --------------------------------------------------------------

#: From the start of TLS to a finished log-in or proof, whatever the peer does.
LOGIN_DEADLINE = 10.0
#: The same for a client, from the TCP connection: a server that many people come back to lets them
#: wait for `MAX_WAIT` before it starts TLS.
LOGIN_PATIENCE = 75.0
#: From our close to the peer's; then the connection is cut.
CLOSE_DEADLINE = 3.0
#: Between pings on the standard and the request channel.
PING_INTERVAL = 30.0
#: Without a byte from the peer for this long, it is gone.
PEER_GONE = 90.0
#: A reader that stays full for this long is disconnected, so that ending a chat never hangs.
NO_PROGRESS = 30.0
#: Patience that a slow reader earns back each time its buffer runs empty (it regains the rest by
#: not being slow): who takes less than about 6 KiB a second in the long run is disconnected too.
DRAIN_CREDIT = 10.0
#: The same for a client's own writing, which stands still while the server waits for the other
#: end of a chat: longer, so that it is the slow reader who goes.
CLIENT_PATIENCE = 75.0
#: To answer any command that needs no person.
ANSWER_DEADLINE = 15.0

# --- clocks ---------------------------------------------------------------------------------

#: Between looks at the clocks. The kernel's timers stand still while the machine sleeps, so a look
#: is also the latest moment at which a timer that ran out meanwhile is noticed after waking.
CLOCK_LOOK = 1.0
#: Seconds between the wall clock and the steady one from which on the wall clock counts as set, and
#: calendar times are looked at again. Less than any time that a person can type, and more than two
#: readings of clocks on a busy machine differ by.
CLOCK_DRIFT = 0.5
#: A process whose timer is so late did not run meanwhile: the machine slept, or the process was
#: stopped. Longer than a busy machine keeps anybody waiting, and short enough for every connection
#: to have outlived it.
STOOD_STILL = 10.0
#: After waking, for the server to answer on a connection that may be dead. With one look and the
#: first wait before a reconnection a client is back within 5 seconds.
WAKE_ANSWER = 2.0

# --- chat requests and chats ----------------------------------------------------------------

#: How long a chat request stands, at the least and at the most. Each gets a time of its own, at
#: random, before the server looks whom it is for; without a yes or no the answer comes then.
REQUEST_STANDS = 30.0
REQUEST_EXPIRES = 60.0
#: Until the callee is told of a request, at the most, drawn each time: done at once, the work would
#: show to the caller in the answer to a ping. Too short for people to notice.
REQUEST_PAUSE = 0.2
#: After a refusal the same person is not asked again by the same: first, then twice as long each
#: time, up to the last.
COOLDOWN_FIRST = 60.0
COOLDOWN_LAST = 3600.0
#: After a day without another refusal a new one is the first again.
COOLDOWN_FORGOTTEN = 24 * 3600.0
#: After one person's offer is gone and another's took its place: so long a bare "accept" may still
#: be meant for the first, for a hand was on its way to the key. Nor does any count so long for what
#: the same person asks otherwise.
ACCEPT_BY_NAME = 2.0
#: For the callee's client to open its stream after it accepted.
OPENING_DEADLINE = 10.0
#: Nested handshake and both HELLOs, from the opened stream on.
CHAT_HANDSHAKE_DEADLINE = 15.0
#: For the answer to BYE.
BYE_DEADLINE = 3.0
#: How long a chat may last that is asked for with an end: the least leaves time to say something,
#: the most is a day, which people can still think of as one chat.
MIN_CHAT_SECONDS = 60
MAX_CHAT_SECONDS = 24 * 3600
#: So long before that end both are told.
TIME_WARNING = 60.0
#: Two clocks and a network between them: a peer that ends a chat so little before its end did not
#: cut it short.
TIME_UP_MARGIN = 10.0
#: Between fresh keys of a chat, in time and in bytes of TLS in either direction: what a thief of
#: the keys in memory could read of it.
REKEY_AFTER = 15 * 60.0
REKEY_BYTES = 64 * 1024 * 1024
#: Between rekeys at the least, unless REKEY_BYTES came sooner: each costs both some milliseconds of
#: work. Far below REKEY_AFTER, so that neither clocks nor a slow network cut off an honest caller.
REKEY_LEAST = 30.0
#: Keys that served so long, or for so many bytes in a direction, end the chat.
EPOCH_SECONDS = 2 * REKEY_AFTER
EPOCH_BYTES = 2 * REKEY_BYTES
#: From the first byte of a rekey to its last: it waits behind all that is under way already.
REKEY_DEADLINE = 300.0
#: Times that one side may ask for, or agree to, a log in one chat; a peer that floods is cut.
MAX_LOG_ASKS = 50
#: Ended streams a session remembers: late frames of these are dropped, others are an attack.
ENDED_STREAMS = 64
#: Requests of one caller in REQUEST_WINDOW.
REQUESTS_BY_CALLER = 20
#: Requests that reach one callee's client in REQUEST_WINDOW, whoever asks; those that their callers
#: withdrew do not count. More than OFFERS_BY_STRANGERS, so that strangers alone cannot use it up.
REQUESTS_TO_CALLEE = 120
#: Requests of strangers that a client puts before its person in REQUEST_WINDOW, or before their
#: program: as many as somebody can read. Those whom the person has met do not count.
OFFERS_BY_STRANGERS = 30
#: Requests of one caller to one callee in PAIR_WINDOW that came to nothing: or one person who asks
#: again and again would keep another from being asked by, and from asking, anybody else.
REQUESTS_BY_PAIR = 3
#: The window of that rate.
PAIR_WINDOW = 600.0
#: Pages of "who is available" to one asker in REQUEST_WINDOW: each goes through all names.
LISTS_BY_ASKER = 120
#: Looks at, and changes of, one's list of blocks in REQUEST_WINDOW: each is some work for the disk,
#: behind which everybody else's log-in waits.
BLOCKS_BY_PERSON = 60
#: The window of the rates above that have none of their own.
REQUEST_WINDOW = 60.0
#: The longest that one may be available without saying so again.
MAX_LEASE = 7 * 24 * 3600
#: Names to which one may be available, and names that may be told that one is busy: both lists
#: fit one frame.
MAX_AUDIENCE = 200
#: Names one person may block: a list that fits one answer.
MAX_BLOCKED = 200
#: Looks at all that the server holds about one, of one person in REQUEST_WINDOW: each reads the
#: registry and goes through all that is remembered.
MY_DATA_BY_PERSON = 6
#: Bytes of facts in one answer to that; the rest comes page by page.
MY_DATA_PAGE = 16 * 1024
#: Bytes of facts that a client takes for one /mydata: some forty thousand, more than a person can
#: cause.
MAX_MY_DATA = 2 * 1024 * 1024
#: Names in one answer to "who is available"; the rest comes page by page.
USERS_PAGE = 200
#: Names a client fetches for one /users.
MAX_USERS_SHOWN = 5000

# --- how often commands may come (docs/protocol.md, "Pace") ------------------------------------

#: The seconds of the paces below that have none of their own: one person may send so many commands
#: of a kind at once, and as many again in this time, evenly. Far above what people and bots do;
#: each command costs the server about a tenth of a millisecond.
PACE_WINDOW = 60.0
#: `Ping`: one in 30 s is needed; programs may look more often.
PINGS = 120
#: `SetAvailability`: up to 16 KiB of names to check.
AVAILABILITIES = 30
#: `ListAvailable`: twice what LISTS_BY_ASKER admits, so that more is refused before it is slowed.
LIST_PAGES = 240
#: `RequestChat`: likewise above REQUESTS_BY_CALLER.
CHAT_REQUESTS = 60
#: `CancelRequest` and `EndChat`: one for each request.
ENDINGS = 60
#: `Block`, `Unblock`, `ListBlocked`, each, in BLOCK_WINDOW: each is work for the disk, on which
#: log-ins wait, so few may come at once. One a second in the long run, which is BLOCKS_BY_PERSON.
BLOCK_COMMANDS = 8
BLOCK_WINDOW = 8.0
#: `NewKey`: above NEW_KEY_TRIES.
NEW_KEY_COMMANDS = 20
#: `MyData`: all that one can cause to be held, twice.
MY_DATA_PAGES = 256
#: `DialMe`: each is a connection that the server opens, with a handshake.
DIALS = 12
#: `LogOut`: a session ends once, but scripts may come and go every second.
LOG_OUTS = 60
#: `ForgetMe`: a wrong name may be tried again.
FORGETTINGS = 6
#: Commands of one connection that the server works on before it looks at the next one. Longer ones
#: count for more, one for each KiB.
COMMANDS_A_TURN = 4
#: Connections that get such a turn in one pass of the reactor: some milliseconds of work.
TURNS_AT_ONCE = 4
#: Chat frames that are read and sent on together at the most: honest clients write a few at once.
FRAMES_A_RUN = 64
#: Frames' worth of work in each such run, however short it is: one write.
RUN_WORK = 8
#: Frames' worth of work that a connection may cause in one pass of the reactor without waiting for
#: a turn. A frame costs about a microsecond, and 64 KiB may hold 7000.
CHAT_SHARE = 128

# --- the server's doors ---------------------------------------------------------------------

#: Connections to one port, in all.
MAX_CONNECTIONS = 20_000
#: Sessions: each has two connections.
MAX_SESSIONS = 10_000
#: Connections from one address to one port: 200 people behind one NAT, each counted twice, since
#: the connections that they have lost are only noticed after `PEER_GONE`.
MAX_CONNECTIONS_BY_ADDRESS = 400
#: Of these, not logged in yet: all 200 may come back in the same moment.
MAX_PENDING_BY_ADDRESS = 200
#: Log-ins under way at one port. Each is 2 to 4 ms of work, so the last of 64 on each port is done
#: within `LOGIN_DEADLINE` even where the server has a tenth of a core. More would be faster only
#: for clients with a very long way: 64 of those, a second away, log in every second.
LOGINS_AT_ONCE = 64
#: Of these, from one address, so that one address cannot take all places.
LOGINS_AT_ONCE_BY_ADDRESS = 16
#: A peer that has not moved on for this long while its log-in is under way is on a bad line, or
#: only wants to hold a place: it goes on without one. Longer than a round trip around the world.
STALLED = 2.0
#: Log-ins that wait for their turn at one port: everybody there can be.
MAX_WAITING = MAX_SESSIONS
#: The longest wait for a turn. A whole core logs in all of `MAX_WAITING` in that time; a tenth of a
#: core about 1500 people.
MAX_WAIT = 60.0
#: From the accepted connection to the first whole TLS record, a proxy's header included.
HELLO_DEADLINE = 10.0
#: Bytes that are kept of a client that waits for its turn: a ClientHello with X25519MLKEM768 is
#: about 1600, and one TLS record is the most that a client sends before it has heard from us.
MAX_HELLO = 5 + 16 * 1024
#: Connections that the kernel keeps for us until we accept them: what Linux allows by default
#: (net.core.somaxconn). Twisted's 50 are full in an instant when a server comes back; who is
#: dropped then tries again a second later.
LISTEN_BACKLOG = 4096
#: Names, or pairs of names, whose rate is remembered; the longest unused is forgotten first.
MAX_RATE_KEYS = 50_000
#: Between looks for keys of rates, and for refusals, that no longer count: who asked whom is kept
#: hardly longer than it holds anybody back, also on a server where nobody asks any more.
FORGET_INTERVAL = 60.0
#: Between looks whether the admin changed the registry.
REGISTRY_POLL = 0.5
#: The port of the daemon role that the server may dial.
DIAL_PORT = 4242
#: For the TCP connection of a dialled request channel.
DIAL_DEADLINE = 5.0
STANDARD_PORT = 4241
REQUEST_PORT = 4243

# --- the server's log and open files --------------------------------------------------------

#: Bytes of the log's file before it is moved aside, and files kept beside it: 60 MB in all at most.
LOG_FILE_BYTES = 10_000_000
LOG_FILES = 5
#: Seconds within which the same line is written once and then counted, and different lines that are
#: written within them: what strangers can cause is some hundred lines a minute at the most.
LOG_REPEAT = 60.0
LOG_KINDS = 100
#: Characters of one line or traceback.
LOG_LINE = 16 * 1024
#: Files that the server keeps open beside people's connections: registry, log, ports, the reactor's
#: own; and connections that have not logged in.
FILES_ASIDE = 128
#: Files that a person on line takes: the standard channel and the request channel.
FILES_BY_PERSON = 2

# --- the server's state ---------------------------------------------------------------------

#: The private CA, in days. Clients pin it: it outlives every client installed today.
CA_DAYS = 25 * 365
#: The server's certificate, in days.
CERTIFICATE_DAYS = 90
#: Renewed when fewer days than this are left.
RENEW_DAYS = 30
#: With fewer days of the CA left than this, the log and `securecom-admin check` warn: everybody has
#: to be invited anew before it ends.
CA_WARN_DAYS = 365
#: Certificates begin this many days before they are made, for clients whose clock is behind.
BACKDATED_DAYS = 1
#: The same for the CA. People pin it, so it cannot be made again when a server was started for the
#: first time while its clock was ahead.
CA_BACKDATED_DAYS = 5 * 365
#: Between looks at the certificate's age, and at names whose quarantine is over.
RENEW_CHECK = 6 * 3600.0
#: Bytes of a key, certificate or settings file that are read at all.
MAX_STATE_FILE = 64 * 1024
#: How long an invitation is good, in hours, if the admin says nothing.
INVITATION_HOURS = 24
#: The longest an invitation may be good, in hours.
MAX_INVITATION_HOURS = 30 * 24
#: The shortest, in minutes: time enough to open a link.
MIN_INVITATION_MINUTES = 1
#: How long nobody may have the name of a person who is forgotten, so that nobody takes the next one
#: for them: a season in which those who knew them hear of it. Longer than any invitation is good.
NAME_QUARANTINE = 90 * 24 * 3600.0
#: For SQLite to wait for another process's write.
DATABASE_BUSY = 5.0
#: The server's tries to write, of which DATABASE_BUSY is made: between two of them it reads.
WRITE_PATIENCE = 0.05
#: Reads, or changes in one commit, that the database's thread does before it looks what else
#: waits: some milliseconds.
TASKS_GATHERED = 64

# --- memory of a relayed chat ---------------------------------------------------------------

#: Bytes that may wait for a reader that is slow, a chat and direction. Nothing counts them: a
#: transport that holds 64 KiB pauses the other leg (that is Twisted's mark), and what one read had
#: brought by then comes on top; 80 150 bytes were the most that was measured. The tests keep the
#: relay below this.
MAX_RELAY_BUFFER = 256 * 1024

# --- client ---------------------------------------------------------------------------------

#: Back-off between attempts to reconnect: first, factor, last.
RECONNECT_FIRST = 1.0
RECONNECT_FACTOR = 1.7
RECONNECT_LAST = 60.0
#: Share of the wait that is random, so that clients do not come back in step.
RECONNECT_JITTER = 0.3
#: Bytes of one typed or piped line, and of one JSON line that goes out, its end included.
MAX_LINE = 64 * 1024
#: Bytes of a line at a terminal, its end not counted, that the kernel may have cut: its line mode
#: keeps 4095 of a line and drops the rest without a word (n_tty(4) of Linux).
TERMINAL_LINE = 4095
#: Without a byte for so long, what was pasted at a terminal is all there: longer than a hop of ssh.
PASTE_QUIET = 0.2
#: For such a paste to end, so that a terminal that never stops cannot keep the client from ending.
PASTE_DEADLINE = 5.0
#: Bytes of a JSON command's id as the result repeats it: a UUID has 38, and 64 KiB would not leave
#: room for anything else in the line.
MAX_ID = 1024
#: Names whose missed requests a client remembers.
MAX_MISSED = 100
#: For a program that answers a chat request: the person still has most of the time if it does not.
PROGRAM_DEADLINE = 5.0
#: Bytes of its answer: a word in JSON, and room for white space.
MAX_PROGRAM_ANSWER = 1024
#: Such programs that have not ended. One is needed; others may be on their way out, killed.
MAX_PROGRAMS = 4
#: Bytes waiting for a slow terminal or pipe before reading from the server pauses.
MAX_UNSHOWN = 256 * 1024
#: Bytes waiting in all when messages, the end of a chat and problems are still taken: what one read
#: brings after that pause (64 KiB of line feeds, each a row with a name of 32 characters) fits.
MAX_UNSHOWN_AT_ALL = 4 * 1024 * 1024
#: Lines of one message that get rows of their own; line feeds behind that are shown as pictures.
MAX_LINES_SHOWN = 400
#: For log-out, BYE and the rest when the client leaves.
EXIT_DEADLINE = 5.0
#: After the end of a script's input, for what it asked for to move on: a request may take its
#: whole time, and a chat its handshake.
FINISH_DEADLINE = REQUEST_EXPIRES + CHAT_HANDSHAKE_DEADLINE
#: Bytes of a profile's settings that are read at all.
MAX_PROFILE_FILE = 16 * 1024
#: Bytes of a profile's pins that are read or written at all: some twenty thousand people.
MAX_KNOWN_PEERS_FILE = 4 * 1024 * 1024
#: Bytes of a backup that is opened at all: the longest pins, and room for the rest around them.
MAX_BACKUP_FILE = MAX_KNOWN_PEERS_FILE + 256 * 1024
#: Bytes of a backup's file in age's armour: base64 in lines of 64 letters with CRLF, its two lines
#: around it, and room for blanks.
MAX_BACKUP_TEXT = MAX_BACKUP_FILE * 3 // 2
#: The least that a backup's pass phrase may cost to try when we write one, as scrypt's N in powers
#: of two: a tenth of a second. pyrage measures one try of about 3 ms and takes as little as 10 if
#: the machine stalls or its clock is set in that moment: a thief would guess 1000 times faster.
MIN_SCRYPT_WORK = 15
#: What is enough, the tool age's own choice. On a busy machine pyrage takes 16, say: a backup is
#: encrypted up to SEAL_TRIES times until it costs so much. A try that takes less is short.
GOOD_SCRYPT_WORK = 18
SEAL_TRIES = 5
#: What a backup's pass phrase may cost to try, as scrypt's N in powers of two. pyrage takes what
#: lasts about a second, 19 or 20 today; 21 takes 2 GiB of memory and some ten seconds.
MAX_SCRYPT_WORK = 21
#: For the process that encrypts a backup: it needs a few seconds.
SEAL_DEADLINE = 60.0
#: Times that the pins' lock is tried, all at once: who has it writes for a few milliseconds, and
#: nobody may wait in the reactor's thread.
LOCK_TRIES = 3
#: Bytes of the log of one chat; a longer one ends, and another may be agreed to.
MAX_LOG_BYTES = 16 * 1024 * 1024
#: Bytes of a pass phrase, so that a file given by mistake is not read to its end; and the library
#: that writes identity files takes no more.
MAX_PASS = 1023
#: Keys that a pin has replaced, kept for each name: enough to see a history, and no more.
MAX_OLD_KEYS = 8
#: Wrong pass phrases that may be tried, when the client starts and when a command asks.
PASS_ATTEMPTS = 3
#: Connections that may fail before a client without a person at it gives up.
ATTEMPTS = 5
