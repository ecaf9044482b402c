"""Every size, count, rate and wait in securecom, each with the reason for its value.

Sizes are bytes, waits are seconds, unless a name says otherwise.
"""

# --- frames (docs/protocol.md, "Framing") ---------------------------------------------------

#: Lane byte and three length bytes.
FRAME_HEADER = 4
#: The longest body of a frame: a 16 KiB message, its AMP keys, its padding.
MAX_BODY = 18 * 1024
#: The same from the server to a client outside chats: a chain of MAX_SUCCESSIONS keys, 44 KiB, and
#: what an AMP value may hold at the most.
MAX_SERVER_BODY = 66 * 1024
#: Opaque bytes in one frame of the chat lane: a whole TLS record fits two.
MAX_CHAT_CHUNK = 16 * 1024
#: Bytes of a command's tag, which our answer repeats: 64 bits in hexadecimal digits.
MAX_TAG = 16
#: Commands we no longer wait for, whose answers are still accepted; an answer to an older one is a
#: violation.
GIVEN_UP_ANSWERS = 64
#: Commands from one peer that may wait for our answer; more is flooding.
MAX_UNANSWERED = 32
#: Bytes of our answers that a peer may leave unread once its transport is full. The receipts of
#: `MAX_UNDELIVERED` messages take 16 KiB; a peer that exceeds this sends commands without reading
#: the answers.
MAX_UNREAD_ANSWERS = 64 * 1024

# --- messages -------------------------------------------------------------------------------

#: A message's text as UTF-8. The client refuses longer text before sending anything.
MAX_TEXT = 16 * 1024
#: Every control frame in a chat is padded to a multiple of this, header included, so that its
#: length reveals little.
CHAT_PADDING = 256
#: Messages sent but not yet acknowledged; the client refuses the next with an error. The receiver
#: cuts off a sender that exceeds this before any of these receipts has left: an honest client
#: counts and never does.
MAX_UNDELIVERED = 64
#: Messages the callee may type before the caller has spoken.
MAX_HELD_BACK = 64

# --- files (docs/protocol.md, "Files") ------------------------------------------------------

#: The largest file: 8 TiB, which is more than a day at the speed of a fast network.
MAX_FILE = 2**43
#: Bytes of a file's name: what common file systems take.
MAX_FILE_NAME = 255
#: Bytes of a name that a client gives a received file: leaves room for " (999)".
MAX_SAVED_NAME = 200
#: Files that one person may have on offer in a chat. Each keeps a file open, and a row on the
#: other's screen.
MAX_OFFERS = 16
#: Bytes of a file in one frame. With its own header (8), the seal of the chat's TLS (22) and the
#: header of a chat frame (8) it fills exactly one TLS record of the standard channel, so that no
#: reader has to put a frame together.
FILE_CHUNK = 16 * 1024 - 8 - 22 - 8
#: Bytes of a chat's files that may be under way, at most, at least and at first. The most fills a
#: network of 1 Gbit/s over 30 ms, and is what a receiver may have to hold. The least keeps a
#: message on a line of 64 KiB/s waiting for half a second only.
FILE_WINDOW = 4 * 1024 * 1024
FILE_WINDOW_LEAST = 32 * 1024
FILE_WINDOW_FIRST = 256 * 1024
#: Seconds that bytes of a file may wait between the two, beyond what the fastest took: from here on
#: the window shrinks, so that a message does not wait longer either.
FILE_QUEUE_DELAY = 0.2
#: Bytes that a receiver gathers before it writes them, keeps before it says so, and how many
#: seconds it waits with fewer: each costs as much as some pieces of a file.
FILE_WRITE = 128 * 1024
FILE_KEPT_EVERY = 512 * 1024
FILE_KEPT_WAIT = 0.01
#: Bytes that are read from the disk at once, and that leave in one turn of the reactor.
FILE_READ = 512 * 1024
FILE_BURST = 256 * 1024
#: Seconds after which a pipe that says nothing is left, if its chat has ended meanwhile.
PIPE_LOOK = 0.2
#: Between two events about the progress of a transfer.
FILE_PROGRESS = 0.5
#: Between two rows about it where rows stay on the screen for good.
FILE_PROGRESS_ROW = 10
#: Files in a folder that is sent: its names have to be gone through before it can be offered.
MAX_FOLDER_ENTRIES = 100_000
#: Unfinished files that are kept in a folder to be resumed, and for how many days.
MAX_PARTS = 16
PART_DAYS = 7
#: Files of one name that are saved beside each other: "plan (1).pdf" and so on.
MAX_SAME_NAMES = 999
#: Transfers that are over, for which data may still be under way.
ENDED_TRANSFERS = 64
#: For somebody to answer an offer that a script makes: a person has to see it.
OFFER_DEADLINE = 600.0

# --- names, links, keys ---------------------------------------------------------------------

#: Characters of a name: fits a column on every terminal.
MAX_NAME = 32
#: Random bytes in an invitation's token (the minimum is 128 bits).
TOKEN_BYTES = 20
#: Characters of a host name (RFC 1035), and of each of its labels.
MAX_HOST = 253
MAX_LABEL = 63
#: Characters of an invitation link, so that a file given by mistake is not parsed.
MAX_LINK = 512
#: bcrypt rounds of the identity file: about half a second on a small machine.
BCRYPT_ROUNDS = 64
#: The most bcrypt rounds of an identity file we open: half a minute on a small machine. The file
#: states its own number, and a damaged or hostile one would keep us busy for days.
MAX_BCRYPT_ROUNDS = 4096
#: The longest chain of keys that a server keeps for a name and a client follows. A client that has
#: missed more than eight new keys of somebody sees a changed key. 43,888 bytes in a request.
MAX_SUCCESSIONS = 8
#: New keys of one person in NEW_KEY_WINDOW. Each is a write to the disk and pushes an old link out
#: of the chain.
NEW_KEYS = 1
#: Attempts of one person in NEW_KEY_WINDOW, successful or not. Each costs two signature checks and
#: a read of the registry, and everybody else's log-in waits behind it.
NEW_KEY_TRIES = 10
#: The window of these two rates.
NEW_KEY_WINDOW = 300.0
#: Bytes of a line with twelve words, white space and all.
MAX_RETIREMENT_LINE = 1024
#: The largest file of retirements that is read: a line of JSON for each person we have met.
MAX_RETIREMENTS_FILE = 4 * 1024 * 1024
#: The largest file of introductions that is read: all it may hold, with room.
MAX_INTRODUCTIONS_FILE = 1024 * 1024
#: The largest identity file that is read, in bytes.
MAX_IDENTITY_FILE = 16 * 1024

# --- deadlines of a connection --------------------------------------------------------------

#: From the start of TLS to a finished log-in or proof, whatever the peer does.
LOGIN_DEADLINE = 10.0
#: The same for a client, counted from the TCP connection: a server that many people return to at
#: once makes them wait up to `MAX_WAIT` before it starts TLS.
LOGIN_PATIENCE = 75.0
#: From our close to the peer's; then the connection is cut.
CLOSE_DEADLINE = 3.0
#: Between pings on the standard and the request channel.
PING_INTERVAL = 30.0
#: A peer that sends no byte for this long is gone.
PEER_GONE = 90.0
#: A reader whose buffer stays full for this long is disconnected, so that ending a chat never
#: hangs.
NO_PROGRESS = 30.0
#: Patience that a slow reader earns back each time its buffer runs empty (the rest comes back while
#: it is not slow): a reader that takes less than about 6 KiB a second in the long run is
#: disconnected too.
DRAIN_CREDIT = 10.0
#: The same for a client's own writing, which stalls while the server waits for the other end of a
#: chat. Longer, so that the slow reader is the one disconnected.
CLIENT_PATIENCE = 75.0
#: To answer any command that does not wait for a person.
ANSWER_DEADLINE = 15.0

# --- clocks ---------------------------------------------------------------------------------

#: Between readings of the clocks. Kernel timers stop while the machine sleeps, so this is also the
#: longest that an expired timer can go unnoticed after waking.
CLOCK_LOOK = 1.0
#: If the wall clock and the steady clock drift apart by this much, the wall clock counts as set,
#: and calendar times are computed again. Smaller than any time a person can type, larger than the
#: difference between two clock readings on a busy machine.
CLOCK_DRIFT = 0.5
#: If a timer fires this late, the process did not run meanwhile: the machine slept, or the process
#: was stopped. Longer than any delay on a busy machine, and short enough for every connection to
#: have survived it.
STOOD_STILL = 10.0
#: After waking, how long the server has to answer on a connection that may be dead. Together with
#: CLOCK_LOOK and the first wait before reconnecting, a client is back within 5 seconds.
WAKE_ANSWER = 2.0

# --- chat requests and chats ----------------------------------------------------------------

#: How long a chat request stands, at least and at most. The server draws a random time for each
#: before it looks up the callee; without a yes or no, the answer is sent then.
REQUEST_STANDS = 30.0
REQUEST_EXPIRES = 60.0
#: The longest random delay before the server offers a request to the callee. Done at once, the work
#: would delay the answer to a ping, and the caller could measure it. Too short for people to
#: notice.
REQUEST_PAUSE = 0.2
#: After a refusal, how long the same caller may not ask the same callee again: the first wait,
#: doubled each time, up to the last.
COOLDOWN_FIRST = 60.0
COOLDOWN_LAST = 3600.0
#: After a day without another refusal, the next one counts as the first again.
COOLDOWN_FORGOTTEN = 24 * 3600.0
#: After one caller's offer has ended and another caller's has replaced it, how long a bare "accept"
#: may still be meant for the first, because the person was already typing. A new offer from the
#: same caller does not start this wait.
ACCEPT_BY_NAME = 2.0
#: For the callee's client to open its stream after accepting.
OPENING_DEADLINE = 10.0
#: Nested handshake and both HELLOs, counted from the opened stream.
CHAT_HANDSHAKE_DEADLINE = 15.0
#: For the answer to BYE.
BYE_DEADLINE = 3.0
#: Bounds for the duration of a timed chat: the shortest leaves time to say something, the longest
#: is a day, which people can still think of as one chat.
MIN_CHAT_SECONDS = 60
MAX_CHAT_SECONDS = 24 * 3600
#: How long before that end both people see a warning.
TIME_WARNING = 60.0
#: A peer that ends a timed chat this little before its end did not cut it short: two clocks and a
#: network lie between them.
TIME_UP_MARGIN = 10.0
#: Between fresh keys in a chat, in time and in bytes of TLS in either direction: the most that a
#: thief of the keys in memory could read.
REKEY_AFTER = 15 * 60.0
REKEY_BYTES = 64 * 1024 * 1024
#: The least time between rekeys, unless REKEY_BYTES is reached sooner: each costs both sides some
#: milliseconds of work. Far below REKEY_AFTER, so that clocks and slow networks never cut off an
#: honest caller.
REKEY_LEAST = 30.0
#: Keys in use for this long, or for this many bytes in one direction, end the chat.
EPOCH_SECONDS = 2 * REKEY_AFTER
EPOCH_BYTES = 2 * REKEY_BYTES
#: From the first byte of a rekey to its last: it waits behind everything already under way.
REKEY_DEADLINE = 300.0
#: How often one side may ask for, or agree to, a log in one chat; a peer that floods is cut off.
MAX_LOG_ASKS = 50
#: How often we ask for six words with one person before we confirm some. Each is a guess for
#: somebody in the middle, of one in 2^66; people who need more should compare all digits.
MAX_WORD_TRIES = 8
#: Introductions that a person has under way, and that a peer may offer in one chat: more than
#: anybody means, and no flood of questions.
MAX_INTRODUCTIONS = 16
#: How long an introduction, or a yes to one, is kept: long enough to meet both people.
INTRODUCTION_SECONDS = 30 * 86400
#: Yeses to introductions that are kept, and introductions that were received; the oldest go first.
MAX_AGREED_INTRODUCTIONS = 64
MAX_RECEIVED_INTRODUCTIONS = 256
#: Bytes of a signature in an introduction: both of an identity's keys (5,325), with room.
MAX_STATEMENT_SIGNATURE = 8192
#: Ended streams that a session remembers: late frames of these are dropped, frames of any other are
#: an attack.
ENDED_STREAMS = 64
#: Requests of one caller in REQUEST_WINDOW.
REQUESTS_BY_CALLER = 20
#: Requests that reach one callee's client in REQUEST_WINDOW, from all callers together; withdrawn
#: requests do not count. More than OFFERS_BY_STRANGERS, so that strangers alone cannot use it up.
REQUESTS_TO_CALLEE = 120
#: Strangers' requests that a client shows its person, or their program, in REQUEST_WINDOW: as many
#: as somebody can read. Requests from people the person has met do not count.
OFFERS_BY_STRANGERS = 30
#: Unsuccessful requests of one caller to one callee in PAIR_WINDOW. Without this limit, a person
#: who asks again and again would keep the callee from talking to anybody else.
REQUESTS_BY_PAIR = 3
#: The window of that rate.
PAIR_WINDOW = 600.0
#: Pages of "who is available" for one person in REQUEST_WINDOW: each goes through all names.
LISTS_BY_ASKER = 120
#: Reads and changes of one's own block list in REQUEST_WINDOW. Each is work for the disk, and
#: everybody else's log-in waits behind it.
BLOCKS_BY_PERSON = 60
#: The window of the rates above that have none of their own.
REQUEST_WINDOW = 60.0
#: The longest that somebody may stay available without confirming it.
MAX_LEASE = 7 * 24 * 3600
#: Names to which one may be available, and names that may learn that one is busy: both lists fit
#: one frame.
MAX_AUDIENCE = 200
#: Names one person may block: a list that fits one answer.
MAX_BLOCKED = 200
#: How often one person may fetch everything the server holds about them, in REQUEST_WINDOW: each
#: time reads the registry and goes through everything the server remembers.
MY_DATA_BY_PERSON = 6
#: Bytes of facts in one answer to that; the rest follows page by page.
MY_DATA_PAGE = 16 * 1024
#: Bytes of facts that a client accepts for one /mydata: some forty thousand facts, more than a
#: person can cause.
MAX_MY_DATA = 2 * 1024 * 1024
#: Names in one answer to "who is available"; the rest follows page by page.
USERS_PAGE = 200
#: Names a client fetches for one /users.
MAX_USERS_SHOWN = 5000

# --- how often commands may come (docs/protocol.md, "Pace") ------------------------------------

#: The window of the paces below that have none of their own: one person may send that number of
#: commands of a kind at once, and the same number again, evenly spread, in this many seconds. Far
#: above what people and bots do; each command costs the server about a tenth of a millisecond.
PACE_WINDOW = 60.0
#: `Ping`: one every 30 s is needed; programs may check more often.
PINGS = 120
#: `SetAvailability`: up to 16 KiB of names to check.
AVAILABILITIES = 30
#: `ListAvailable`: twice what LISTS_BY_ASKER allows, so that the server refuses before it slows
#: down.
LIST_PAGES = 240
#: `RequestChat`: likewise above REQUESTS_BY_CALLER.
CHAT_REQUESTS = 60
#: `CancelRequest` and `EndChat`: one for each request.
ENDINGS = 60
#: `Block`, `Unblock`, `ListBlocked`, each, in BLOCK_WINDOW. Each is work for the disk, and log-ins
#: wait behind it, so only a few may come at once. One a second in the long run, which is
#: BLOCKS_BY_PERSON.
BLOCK_COMMANDS = 8
BLOCK_WINDOW = 8.0
#: `NewKey`: above NEW_KEY_TRIES.
NEW_KEY_COMMANDS = 20
#: `MyData`: twice the most data that one person can cause the server to hold.
MY_DATA_PAGES = 256
#: `DialMe`: each is a connection that the server opens, with a handshake.
DIALS = 12
#: `LogOut`: a session ends once, but scripts may log in and out every second.
LOG_OUTS = 60
#: `ForgetMe`: somebody who mistyped the name may try again.
FORGETTINGS = 6
#: Commands of one connection that the server handles before it turns to the next one. A long
#: command counts as one for each KiB.
COMMANDS_A_TURN = 4
#: Connections that get a turn in one pass of the reactor: some milliseconds of work.
TURNS_AT_ONCE = 4
#: The most chat frames that are read and forwarded together: honest clients write a few at once.
FRAMES_A_RUN = 128
#: What forwarding one run costs, counted in frames, however short the run is: one write.
RUN_WORK = 16
#: Work, counted in frames, that a connection may cause in one pass of the reactor without waiting
#: for a turn. A frame costs less than half a microsecond, and 64 KiB may hold 7000.
CHAT_SHARE = 256

#: Frames of one length that are compared at once, and lengths for which that is prepared.
EVEN_FRAMES, EVEN_LENGTHS = 8, 64

# --- TLS connections ------------------------------------------------------------------------

#: Bytes of one record (RFC 8446, 5.1).
TLS_RECORD = 2**14
#: Bytes that encryption adds to a record without padding: header, type, tag.
TLS_SEAL = 5 + 1 + 16
#: Times that a peer may change its keys behind the handshake (KeyUpdate); twice as many if it asks
#: for no answer. Each costs us about 20 µs for its 27 bytes, OpenSSL takes as many as come in one
#: call, and no turn is waited for. Libraries change keys after 2**24 records, if at all.
MAX_KEY_UPDATES = 64
#: Session tickets that OpenSSL's servers send behind a handshake. Nobody here uses them.
TLS_TICKETS = 2
#: Bytes that are read from a socket at once: what Twisted reads.
READ_AT_ONCE = 2**16
#: The same for a spliced socket while each read is full, has few tiny records, and passes whole:
#: each read has a cost of its own. After a large one that did not pass, so many usual ones follow.
LARGE_READ, READS_BEFORE_LARGE = 2**17, 16
#: The most that OpenSSL is given at once of what was read: its memory for that grows to four thirds
#: of it, and stays with the connection. Each piece costs some microseconds, so they are no smaller.
TLS_PIECE = 2**15
#: The buffers for what is decrypted and encrypted, one of each for all connections.
TLS_BUFFER = 2**18
#: Records that are delivered together where there is no such buffer.
RECORDS_AT_ONCE = 16
#: Events that the lean reactor, or a sieve, takes at once: the reactor sees to timers in between.
EVENTS_AT_ONCE = 1024

# --- the server's doors ---------------------------------------------------------------------

#: All connections to one port.
MAX_CONNECTIONS = 20_000
#: New objects after which the server's Python looks for garbage among them; by itself it does so
#: after 700, which is several times a log-in and 4 % of its processor time.
NEW_OBJECTS = 5000
#: Sessions: each has two connections.
MAX_SESSIONS = 10_000
#: Connections from one address to one port: 200 people behind one NAT, each counted twice, since
#: the server notices a lost connection only after `PEER_GONE`.
MAX_CONNECTIONS_BY_ADDRESS = 400
#: How many of these may not have logged in yet: all 200 people may return at the same moment.
MAX_PENDING_BY_ADDRESS = 200
#: Log-ins under way at one port. Each is 2 to 4 ms of work, so the last of 64 on each port finishes
#: within `LOGIN_DEADLINE` even if the server has a tenth of a core. A higher number would help only
#: clients that are very far away: 64 of those, with a second's delay, log in every second.
LOGINS_AT_ONCE = 64
#: How many of these may come from one address, so that no address can take all places.
LOGINS_AT_ONCE_BY_ADDRESS = 16
#: A peer that makes no progress for this long during its log-in is on a bad line, or only wants to
#: hold a place: its log-in goes on without one. Longer than a round trip around the world.
STALLED = 2.0
#: Log-ins that wait for their turn at one port: enough for everybody the server can hold.
MAX_WAITING = MAX_SESSIONS
#: The longest wait for a turn. In that time a whole core logs in all of `MAX_WAITING`, a tenth of a
#: core about 1500 people.
MAX_WAIT = 60.0
#: From the accepted connection to the first whole TLS record, including a proxy's header.
HELLO_DEADLINE = 10.0
#: Bytes kept from a client that waits for its turn: a ClientHello with X25519MLKEM768 has about
#: 1600, and a client sends at most one TLS record before it hears from us.
MAX_HELLO = 5 + 16 * 1024
#: Connections that the kernel keeps until we accept them: what Linux allows by default
#: (net.core.somaxconn). Twisted's 50 fill up in an instant when a server comes back; a dropped
#: client tries again a second later.
LISTEN_BACKLOG = 4096
#: Names, or pairs of names, whose rate is remembered; the least recently used is forgotten first.
MAX_RATE_KEYS = 50_000
#: Between sweeps for expired rates and refusals, so that the server remembers who asked whom hardly
#: longer than it restrains anybody, even when nobody asks any more.
FORGET_INTERVAL = 60.0
#: Between looks at the clocks, and at whether the admin changed the registry, while somebody is
#: online.
REGISTRY_POLL = 0.5
#: The same while nobody is online, and so nobody's session could end. The look at the registry is
#: only one at the header of its file then.
QUIET_POLL = 2.0
#: Between looks at the registry itself while nobody is online and its file shows no change, since
#: on some network file systems a change may not show.
QUIET_LOOK = 30.0
#: What is kept of the registry in memory is used for log-ins for this long after a look at it that
#: was asked for and succeeded: so nobody whom the admin disabled logs in later than that.
ROSTER_TRUSTED = 1.0
#: Users who are kept in memory for log-ins, 0.6 KiB each: everybody the server can hold.
ROSTER_USERS = MAX_SESSIONS
#: Blocks of somebody who is kept: 60 bytes each.
ROSTER_BLOCKED = 16
#: The port of the daemon role that the server may dial.
DIAL_PORT = 4242
#: For the TCP connection of a dialled request channel.
DIAL_DEADLINE = 5.0
STANDARD_PORT = 4241
REQUEST_PORT = 4243
NODE_PORT = 4245

# --- the server's log and open files --------------------------------------------------------

#: Bytes of the log file before it is rotated, and how many rotated files are kept: 60 MB in all at
#: most.
LOG_FILE_BYTES = 10_000_000
LOG_FILES = 5
#: Seconds within which a repeated line is written once and then counted, and how many different
#: lines are written within them: strangers can cause some hundred lines a minute at most.
LOG_REPEAT = 60.0
LOG_KINDS = 100
#: Characters of one line or traceback.
LOG_LINE = 16 * 1024
#: Files that the server keeps open besides people's connections: registry, log, ports, the
#: reactor's own, and connections that have not logged in.
FILES_ASIDE = 128
#: Files for each person online: the standard channel and the request channel.
FILES_BY_PERSON = 2

# --- the server's state ---------------------------------------------------------------------

#: The private CA, in days. Clients pin it, so it outlives every client installed today.
CA_DAYS = 25 * 365
#: The server's certificate, in days.
CERTIFICATE_DAYS = 90
#: The certificate is renewed when fewer days than this are left.
RENEW_DAYS = 30
#: When the CA has fewer days left than this, the log and `securecom-admin check` warn: the admin
#: has to invite everybody anew before it ends.
CA_WARN_DAYS = 365
#: Certificates are valid from this many days before they are made, for clients whose clock is
#: behind.
BACKDATED_DAYS = 1
#: The same for the CA. People pin it, so it cannot be replaced if the server's clock was ahead when
#: it was first started.
CA_BACKDATED_DAYS = 5 * 365
#: Between checks of the certificate's age, and for names whose quarantine is over.
RENEW_CHECK = 6 * 3600.0
#: The largest key, certificate or settings file that is read, in bytes.
MAX_STATE_FILE = 64 * 1024
#: How long an invitation is valid, in hours, unless the admin says otherwise.
INVITATION_HOURS = 24
#: The longest an invitation may be valid, in hours.
MAX_INVITATION_HOURS = 30 * 24
#: The shortest, in minutes: time enough to open a link.
MIN_INVITATION_MINUTES = 1
#: How long nobody may take the name of a person who was forgotten, so that a newcomer is not
#: mistaken for them: a season in which those who knew them find out. Longer than any invitation is
#: valid.
NAME_QUARANTINE = 90 * 24 * 3600.0
#: How long SQLite waits for another process's write.
DATABASE_BUSY = 5.0
#: How long a single attempt of the server to write lasts; it repeats them up to DATABASE_BUSY and
#: reads in between.
WRITE_PATIENCE = 0.05
#: Reads, or changes in one commit, that the database's thread does before it checks what else
#: waits: some milliseconds.
TASKS_GATHERED = 64

# --- a registry in PostgreSQL ---------------------------------------------------------------

#: Connections of one server: a write, and reads beside it.
REGISTRY_CONNECTIONS = 4
#: Whole seconds in which a connection is made, and after which a silent one is asked for a sign.
REGISTRY_CONNECT = 5
#: Seconds in which a transaction is answered, more than DATABASE_BUSY and than a look at all users
#: takes. Then its connection is given up.
REGISTRY_DEADLINE = 8.0
#: While PostgreSQL is away, it is tried once in this time; meanwhile nobody waits for it.
REGISTRY_RETRY = 1.0
#: Changes that are listed for other nodes; whoever missed more reads everything.
CHANGES_KEPT = 1000
#: People whose changed entries are read one by one; if there are more, all are read.
CHANGES_FOLLOWED = 50
#: Characters of PostgreSQL's own words in an error.
ENGINE_WORDS = 300

# --- several nodes as one server ------------------------------------------------------------

#: Between a node's announcements in the directory.
HEARTBEAT = 3.0
#: After this long without one, a node counts as dead: two announcements may be lost.
NODE_LAPSE = 10.0
#: People whom a node claims together after the directory was wiped: with more, the last answers
#: would come after DIRECTORY_DEADLINE.
CLAIMS_AT_ONCE = 64
#: How long the directory keeps what holds somebody back: as long as any of it can count.
RESTRAINTS_KEPT = COOLDOWN_FORGOTTEN
#: For the directory to answer one question; less than NODE_LAPSE, so that a node whose announcement
#: got lost makes another one in time.
DIRECTORY_DEADLINE = 3.0
#: For a new connection to its engine, if the last attempt failed: one that is back answers at once,
#: and while it is not, people need not wait for a refusal.
DIRECTORY_HASTE = 0.5
#: How long the directory remembers where somebody is, unless it is told again. Far longer than it
#: takes to tell again, which a living node does in turn, so many people with each announcement.
PLACE_LAPSE = 6 * 3600.0
PLACES_TOLD = 64
#: People in what follows somebody from node to node, twice: those who refused them, and those whom
#: they asked in vain. It is written at each log-out and read at each log-in.
RESTRAINTS_OF_PEOPLE = 200
#: Bytes of that: two such lists with the longest names and all ages, and three rates.
MAX_RESTRAINTS = 20 * 1024
#: Names in one question to the directory.
NAMES_ASKED = 500

# --- memory of a relayed chat ---------------------------------------------------------------

#: Bytes that may wait for a slow reader, for each chat and direction. Nothing counts them: a
#: transport that holds 64 KiB (Twisted's own threshold) pauses the other leg, and whatever the last
#: read brought comes on top; the most we measured was 80 150 bytes. The tests keep the relay below
#: this.
MAX_RELAY_BUFFER = 256 * 1024

# --- links between nodes (docs/cluster.md, "Links between nodes") -------------------------------

#: Between two pings of a node on a link. One that sends no byte for `NODE_SILENT` is not there: the
#: link is cut, so that there is time for another one before `NODE_DEAD`.
NODE_PING = 1.0
NODE_SILENT = 6.0
#: Chats with the people of another node end so long after the last ping that it answered.
NODE_DEAD = 20.0
#: How long a command waits for a link: longer than a node that has just started takes to be met.
LINK_DEADLINE = 5.0
#: From the TCP connection to the moment at which both nodes have said who they are.
MEETING_DEADLINE = 5.0
#: Before the first and the last attempts to link with a node again; each wait is twice the one
#: before.
NODE_RETRY_FIRST = 0.2
NODE_RETRY_LAST = 2.0
#: Attempts in a row that the other machine itself refuses, after which a node counts as dead at
#: once: nothing listens there, so the process has ended.
NODE_REFUSALS = 3
#: A link that stands for so long has worked: the next attempt is the first again.
NODE_SETTLED = 10.0
#: Commands of one node that may wait for the answer of another: two for each session.
NODE_UNANSWERED = 20_000
#: Bytes of answers that a node may leave unread once its transport is full.
NODE_UNREAD_ANSWERS = 4 * 1024 * 1024
#: Bytes under way between two nodes that are not acknowledged, and that are not passed on yet, for
#: each chat and direction: 64 KiB, and the headers of the four frames that these may be in.
CARRIED_IN_FLIGHT = 4 * (MAX_CHAT_CHUNK + FRAME_HEADER + 4)
#: Bytes of one chat that leave together, in one frame, before the next chat has its turn: what a
#: person's node may have read at once.
CARRIED_SHARE = CARRIED_IN_FLIGHT
#: Bytes for another node that are gathered in one turn of the reactor before they are written.
NODE_GATHERED = 64 * 1024
#: What was received is acknowledged after this many bytes, or after this long with fewer.
CARRIED_UNSAID = 32 * 1024
CARRIED_WAIT = 0.02
#: Pieces, of any chats, that are acknowledged together while more keep coming: to send and to read
#: an acknowledgement takes both nodes as long as to pass on a piece.
CARRIED_GATHERED = 8
#: Chats that a node does not have, for which another may send bytes between two pings: all of its
#: chats may have ended at once.
MAX_STRAY_CHATS = 10_000

# --- calling a person who is not looking ----------------------------------------------------

#: Rings in RING_WINDOW seconds at most, whatever peers do: enough for every request that the client
#: shows in that time, too few to be a nuisance.
RINGS = 6
RING_WINDOW = 60.0
#: Where the terminal does not say whether it has the focus: somebody who typed so recently is
#: looking.
LOOKING = 60.0
#: The highest number in the terminal's title.
MAX_UNSEEN = 99
#: Seconds after which a notify-send that does not end is killed.
NOTIFY_DEADLINE = 5.0

# --- the doctor -----------------------------------------------------------------------------

#: Seconds by which two clocks may differ without being worth a word.
CLOCKS_APART = 60
#: Days before its end from which a server's certificate is worth a word: the server renews it
#: RENEW_DAYS before, so that it has missed that.
CERTIFICATE_SOON = 14
#: The terminal for which every screen is drawn first.
GOOD_COLUMNS = 80
GOOD_ROWS = 24

# --- who is writing ---------------------------------------------------------------------------

#: Seconds between two notices that our person is writing, and how long one lasts at the other
#: side: longer, so that it does not flicker while the next one is on its way.
TYPING_INTERVAL = 5.0
TYPING_LASTS = 8.0

# --- watching the people one knows ----------------------------------------------------------

#: Seconds between two looks at the server's list, and between two pages of one look. With 200 names
#: a page, a client asks for 2 pages a minute at most servers, and for 12 at the largest, a tenth of
#: LISTS_BY_ASKER; a server with MAX_SESSIONS clients that all watch spends 3 % of a core on it.
WATCH_INTERVAL = 30.0
WATCH_PAGE_INTERVAL = 5.0
#: Pages of one look: as many names as /users shows.
MAX_WATCH_PAGES = MAX_USERS_SHOWN // USERS_PAGE

# --- client ---------------------------------------------------------------------------------

#: Back-off between attempts to reconnect: first, factor, last.
RECONNECT_FIRST = 1.0
RECONNECT_FACTOR = 1.7
RECONNECT_LAST = 60.0
#: Random share of the wait, so that clients do not return in step.
RECONNECT_JITTER = 0.3
#: Bytes of one typed or piped line, and of one outgoing JSON line, its end included.
MAX_LINE = 64 * 1024
#: A line of this many bytes at a terminal, its end not counted, may have been cut by the kernel:
#: its line mode keeps 4095 bytes and silently drops the rest (n_tty(4) of Linux).
TERMINAL_LINE = 4095
#: After this long without a byte, a paste at a terminal is complete: longer than a hop of ssh.
PASTE_QUIET = 0.2
#: For such a paste to end, so that a terminal that never stops cannot keep the client from exiting.
PASTE_DEADLINE = 5.0
#: Bytes of a JSON command's id as the result repeats it: a UUID has 38, and 64 KiB would leave no
#: room for anything else in the line.
MAX_ID = 1024
#: Names whose missed requests a client remembers.
MAX_MISSED = 100
#: For a program that answers a chat request: if it does not, the person still has most of the time.
PROGRAM_DEADLINE = 5.0
#: Bytes of its answer: a word in JSON, with room for white space.
MAX_PROGRAM_ANSWER = 1024
#: Such programs that have not ended. One is needed; others may have been killed and not yet exited.
MAX_PROGRAMS = 4
#: Bytes waiting for a slow terminal or pipe before the client pauses reading from the server.
MAX_UNSHOWN = 256 * 1024
#: Bytes waiting in all up to which messages, the end of a chat and problems are still accepted.
#: What one read brings after that pause (64 KiB of line feeds, each a row with a name of 32
#: characters) fits.
MAX_UNSHOWN_AT_ALL = 4 * 1024 * 1024
#: Lines of one message that get rows of their own; later line feeds are shown as pictures.
MAX_LINES_SHOWN = 400
#: Messages and notices that the full screen keeps of a conversation: a long day's talk.
SCROLLBACK = 10_000
#: Entries beyond that before the oldest are dropped, many at once.
SCROLLBACK_SLACK = 500
#: Characters that they may take together, where each line counts `LINE_COST` more: a peer that
#: sends the longest messages, or nothing but line feeds, fills some 10 MB.
SCROLLBACK_COST = 2_000_000
#: What a line takes in memory beside its text, in characters.
LINE_COST = 80
#: Lines typed on the full screen that the arrow keys bring back; they are not written to disk.
TYPED_LINES = 200
#: Events that wait for the full screen before the client pauses reading from the server.
MAX_UNDRAWN = 500
#: Seconds without a key or an event before the full screen looks for garbage.
QUIET_TICKS = 2
#: Python's third threshold meanwhile: a whole search after so many smaller ones, in case it is
#: never quiet. At 200 messages a second that is once in some minutes.
RARE_COLLECTION = 1000
#: Bytes drawn that wait for the terminal, some screenfuls, before what is drawn is left out.
MAX_UNDRAWN_OUTPUT = 1 << 16
#: Seconds that the end waits for a terminal to take what gives it back.
TERMINAL_DEADLINE = 1.0
#: Rows of a conversation whose drawing is kept: some screenfuls, which a search for garbage does
#: not notice.
ROWS_DRAWN = 150
#: Seconds between two drawings of what happened, so that a flood leaves time for the keys.
REDRAW = 0.04
#: Lines that come within this time are printed above the editor in one go: the eye sees no
#: difference, and 200 messages a second cost 50 drawings and not 200.
ROWS_TOGETHER = 0.02
#: After an ESC without anything behind it, it was the key: longer than a hop of ssh.
ESCAPE_ALONE = 0.25
#: Entries at a terminal that wait, while a pass phrase is checked or the client enrols.
MAX_ENTRIES_WAITING = 20
#: Commands of a profile that the line editor remembers.
HISTORY_LINES = 500
#: Characters of a command that it remembers; longer ones are typed once.
HISTORY_LINE = 400
#: Bytes of the file that are read: all that can be in it after one run of the client or more.
HISTORY_BYTES = 2 * 1024 * 1024
#: Ways to go on that a completion tells of; more would not fit a screen.
MAX_CANDIDATES = 60
#: Names of a folder that are looked at for it.
MAX_LISTED = 10_000
#: For an editor of the user's to end after SIGTERM, then after SIGKILL: both within CLOSE_DEADLINE.
EDITOR_DEADLINE = 0.5
#: For log-out, BYE and everything else when the client exits.
EXIT_DEADLINE = 5.0
#: After a script's input ends, for its last commands to make progress: a request may take its whole
#: time, and a chat its handshake.
FINISH_DEADLINE = REQUEST_EXPIRES + CHAT_HANDSHAKE_DEADLINE
#: The largest settings file of a profile that is read, in bytes.
MAX_PROFILE_FILE = 16 * 1024
#: The largest file of pins that a profile reads or writes, in bytes: some twenty thousand people.
MAX_KNOWN_PEERS_FILE = 4 * 1024 * 1024
#: The largest backup that is opened, in bytes: the longest pins and retirements, and room for
#: everything around them.
MAX_BACKUP_FILE = MAX_KNOWN_PEERS_FILE + MAX_RETIREMENTS_FILE + 256 * 1024
#: Bytes of a backup file in age's armour: base64 in lines of 64 letters with CRLF, the two lines
#: around it, and room for blanks.
MAX_BACKUP_TEXT = MAX_BACKUP_FILE * 3 // 2
#: The least that one guess at the pass phrase of a backup we write may cost, as scrypt's N in
#: powers of two: a tenth of a second. pyrage times a single run of about 3 ms and goes as low as 10
#: if the machine stalls or its clock is set at that moment: a thief would guess 1000 times faster.
MIN_SCRYPT_WORK = 15
#: A good cost, which the age tool itself chooses. On a busy machine pyrage may choose 16, for
#: example: the client encrypts a backup again, up to SEAL_TRIES times, until it reaches this cost.
#: A cheaper attempt takes little time.
GOOD_SCRYPT_WORK = 18
SEAL_TRIES = 5
#: The most that a guess at a backup's pass phrase may cost, as scrypt's N in powers of two. pyrage
#: chooses what takes about a second, 19 or 20 today; 21 takes 2 GiB of memory and some ten seconds.
MAX_SCRYPT_WORK = 21
#: For the process that encrypts a backup: it needs a few seconds.
SEAL_DEADLINE = 60.0
#: Attempts to take the pins' lock, without a pause between them: its holder writes for a few
#: milliseconds, and the reactor's thread must not wait.
LOCK_TRIES = 3
#: Bytes of the log of one chat; a longer one ends, and the two may agree to another.
MAX_LOG_BYTES = 16 * 1024 * 1024
#: Bytes of a pass phrase, so that a file given by mistake is not read to its end. The library that
#: writes identity files accepts no more either.
MAX_PASS = 1023
#: Replaced keys kept with each pin: enough to see a history.
MAX_OLD_KEYS = 8
#: How often a person may try a pass phrase, when the client starts and when a command asks.
PASS_ATTEMPTS = 3
#: How many connections may fail before a client that runs unattended gives up.
ATTEMPTS = 5
