/* A plugin for mosquitto 2.0: accepts the tokens of a file, and records what clients publish.
 *
 *   plugin_opt_tokens FILE   one valid token a line, read again at each check
 *   plugin_opt_journal FILE  a line for each decision and each publish, written before mosquitto answers:
 *                            "connect ID", "reauth ID", "refuse ID", "publish TOPIC PAYLOAD"
 *
 *   plugin_opt_method NAME   of enhanced authentication, K8S-SAT without it
 *
 * Enhanced authentication takes that method with the token as data; a user name comes with the token as password.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

static mosquitto_plugin_id_t *plugin;
static char *tokens_path;
static char *journal_path;
static char *method_name;

static void record(const char *what, const char *first, const void *second, size_t second_len)
{
	char line[4096];
	int length = snprintf(line, sizeof line, "%s %s", what, first ? first : "");
	if (length < 0 || (size_t)length + second_len + 2 > sizeof line) {
		return;
	}
	if (second_len > 0) {
		line[length++] = ' ';
		memcpy(line + length, second, second_len);
		length += (int)second_len;
	}
	line[length++] = '\n';
	/* One write, so that a SIGKILL leaves whole lines. */
	int file = open(journal_path, O_WRONLY | O_APPEND | O_CREAT, 0644);
	if (file >= 0) {
		if (write(file, line, (size_t)length) < 0) {
			perror("journal");
		}
		close(file);
	}
}

static bool is_valid(const void *token, size_t token_len)
{
	char line[16384];
	bool found = false;
	FILE *file = tokens_path ? fopen(tokens_path, "r") : NULL;
	while (file && !found && fgets(line, sizeof line, file)) {
		size_t length = strcspn(line, "\n");
		found = length > 0 && length == token_len && memcmp(line, token, length) == 0;
	}
	if (file) {
		fclose(file);
	}
	return found;
}

static int on_enhanced(int event, void *data, void *user)
{
	struct mosquitto_evt_extended_auth *auth = data;
	const char *id = mosquitto_client_id(auth->client);
	/* A client that has a user name was accepted before. */
	bool again = mosquitto_client_username(auth->client) != NULL;
	(void)event;
	(void)user;
	if (strcmp(auth->auth_method, method_name) != 0) {
		return MOSQ_ERR_NOT_SUPPORTED;
	}
	if (!is_valid(auth->data_in, auth->data_in_len)) {
		record("refuse", id, NULL, 0);
		return MOSQ_ERR_AUTH;
	}
	if (!again) {
		mosquitto_set_username(auth->client, "service-account");
	}
	record(again ? "reauth" : "connect", id, NULL, 0);
	return MOSQ_ERR_SUCCESS;
}

static int on_basic(int event, void *data, void *user)
{
	struct mosquitto_evt_basic_auth *auth = data;
	const char *id = mosquitto_client_id(auth->client);
	(void)event;
	(void)user;
	if (auth->username == NULL) {
		return MOSQ_ERR_PLUGIN_DEFER;
	}
	if (auth->password == NULL || strcmp(auth->username, id) != 0
			|| !is_valid(auth->password, strlen(auth->password))) {
		record("refuse", id, NULL, 0);
		return MOSQ_ERR_AUTH;
	}
	record("connect", id, NULL, 0);
	return MOSQ_ERR_SUCCESS;
}

static int on_message(int event, void *data, void *user)
{
	struct mosquitto_evt_message *message = data;
	(void)event;
	(void)user;
	record("publish", message->topic, message->payload, message->payloadlen);
	return MOSQ_ERR_SUCCESS;
}

int mosquitto_plugin_version(int count, const int *versions)
{
	for (int i = 0; i < count; i++) {
		if (versions[i] == 5) {
			return 5;
		}
	}
	return -1;
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *id, void **user, struct mosquitto_opt *opts, int count)
{
	(void)user;
	plugin = id;
	for (int i = 0; i < count; i++) {
		if (strcmp(opts[i].key, "tokens") == 0) {
			tokens_path = strdup(opts[i].value);
		} else if (strcmp(opts[i].key, "journal") == 0) {
			journal_path = strdup(opts[i].value);
		} else if (strcmp(opts[i].key, "method") == 0) {
			method_name = strdup(opts[i].value);
		}
	}
	if (method_name == NULL) {
		method_name = strdup("K8S-SAT");
	}
	if (journal_path == NULL) {
		return MOSQ_ERR_INVAL;
	}
	mosquitto_callback_register(plugin, MOSQ_EVT_EXT_AUTH_START, on_enhanced, NULL, NULL);
	mosquitto_callback_register(plugin, MOSQ_EVT_BASIC_AUTH, on_basic, NULL, NULL);
	return mosquitto_callback_register(plugin, MOSQ_EVT_MESSAGE, on_message, NULL, NULL);
}

int mosquitto_plugin_cleanup(void *user, struct mosquitto_opt *opts, int count)
{
	(void)user;
	(void)opts;
	(void)count;
	free(tokens_path);
	free(journal_path);
	free(method_name);
	return MOSQ_ERR_SUCCESS;
}
