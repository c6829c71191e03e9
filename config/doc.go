// Package config reads Sendpace's configuration: one YAML file, then the environment, then flags,
// each overriding the one before it. It is plain data. It opens no connection and never looks at the
// process's own environment, which the caller passes in.
//
// These keys exist. Every one but the pages can be overridden from the environment, as
// SENDPACE_<SECTION>_<KEY>; a variable that is set but empty counts as not set.
//
//	key                        default                     meaning
//	redis.url                  redis://127.0.0.1:6379      where the queue lives
//	redis.shards               1                           queues that the workers spread the pages over, 1 to 64
//	redis.password_file        none                        a file with Redis's password, in place of one in the URL
//	redis.tls_ca_file          none                        certificates that vouch for Redis; none: those of the system
//	redis.tls_cert_file        none                        the certificate that Redis is shown
//	redis.tls_key_file         none                        the key of that certificate
//	redis.tls_server_name      none                        the name in Redis's certificate; none: the host of each connection
//	redis.tls_insecure         false                       accept any certificate
//	graph.base_url             https://graph.facebook.com  where messages are sent to
//	graph.version              v26.0                       Graph API version
//	graph.batch                1                           messages of a page that may share a call
//	defaults.rate              30                          sends a second, all lanes of a page together
//	defaults.bulk_rate         0.9                         sends a second in a page's bulk lane
//	defaults.media_rate        10                          audio and video sends a second of a page
//	defaults.replies_per_hour  750                         private replies to comments and posts an hour, of a page
//	defaults.thread_interval   250ms                       least time between two messages to one recipient
//	defaults.daily_budget      0                           sends of a page in any 24 hours; 0: no limit
//	app.daily_budget           0                           sends of all pages together in any 24 hours; 0: no limit
//	worker.concurrency         250                         sends in flight at once, per process
//	worker.max_attempts        8                           attempts before a job ends as failed
//	worker.margin              0.005                       the share of each limit that is left unused
//	worker.adaptive            true                        climb back after a pause, slow down as usage nears its limit
//	worker.send_timeout        15s                         longest wait for the Send API's answer
//	worker.shutdown_timeout    1m30s                       time that sends in flight get to finish
//	worker.on_unknown          resend                      resend or never: a message that may have been sent
//	worker.suppress_for        0s                          how long a person who cannot be reached is left alone
//	worker.http_addr           none                        where metrics and probes of a worker can be read
//	outcomes.max               100000                      about how many outcome records are kept
//	log.level                  info                        trace, debug, info, warn or error
//	log.format                 auto                        json, console, or auto: console on a terminal
//	log.recipients             hashed                      hashed or plain: whom a message was for
//	monitor.addr               127.0.0.1:8080              where the monitor listens
//	monitor.user               none                        who may log in at the monitor, with the password
//	monitor.password           none                        the password, of 10 characters or more
//	monitor.password_file      none                        a file that holds it
//	monitor.token              none                        what programs log in with at the monitor
//	monitor.token_file         none                        a file that holds it
//	monitor.trusted_proxies    none                        proxies whose X-Forwarded-For tells one visitor from another
//	gateway.addr               127.0.0.1:8090              where the gateway listens
//	gateway.api_keys           none                        keys that the gateway takes in place of a page's token
//	gateway.rate               1000                        calls a second of each token and key; 0: no limit
//	gateway.max_body           1048576                     bytes of a call to the gateway, apart from files
//	gateway.max_waiting        0                           jobs that may wait in a page's lane; 0: no limit
//	gateway.metrics_addr       none                        where metrics of the gateway can be read
//	metrics.per_page           true                        tell pages apart in metrics
//	tracing.endpoint           none                        the collector that takes traces, OTLP over HTTP
//	tracing.sample             1                           the share of traces that are recorded
//	tracing.service            none                        the service's name in traces; none: sendpace- and the command
//
// Each entry of pages has an id, a token as access_token or access_token_file, and optionally
// app_secret or app_secret_file and its own rate, bulk_rate, media_rate, replies_per_hour, thread_interval and
// daily_budget.
//
// SENDPACE_CONFIG may name the file. In it, ${VAR} in a value is replaced from the environment; $${ stands for a
// plain ${. gateway.api_keys and monitor.trusted_proxies are lists; in the environment commas stand between their
// entries. A file that a key names is looked for beside the configuration file.
//
// Load reports every problem at once, each by its key and with what to type instead. No problem, warning or
// printed [Config] repeats a value that could be a secret.
package config
