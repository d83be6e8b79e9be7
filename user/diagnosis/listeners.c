/* SPDX-License-Identifier: MIT */
/* What usually listens on a port: the one that IANA has registered, or the program's default. */
#include <stdlib.h>
#include <string.h>

#include "diagnosis/rule.h"

static const struct {
	unsigned int port;
	const char *name;
} LISTENERS[] = {
	{22, "SSH"},
	{25, "SMTP"},
	{53, "DNS"},
	{80, "HTTP"},
	{389, "LDAP"},
	{443, "HTTPS"},
	{465, "SMTP"},
	{587, "SMTP"},
	{636, "LDAP"},
	{993, "IMAP"},
	{1433, "SQL Server"},
	{1521, "Oracle"},
	{2181, "ZooKeeper"},
	{2379, "etcd"},
	{3306, "MySQL"},
	{4222, "NATS"},
	{5432, "PostgreSQL"},
	{5671, "RabbitMQ"},
	{5672, "RabbitMQ"},
	{6379, "Redis"},
	{6432, "PgBouncer"},
	{8086, "InfluxDB"},
	{8123, "ClickHouse"},
	{9000, "ClickHouse or MinIO"},
	{9042, "Cassandra"},
	{9092, "Kafka"},
	{9200, "Elasticsearch"},
	{11211, "memcached"},
	{26379, "Redis Sentinel"},
	{27017, "MongoDB"},
};

const char *usual_listener(const char *file)
{
	const char *colon = strrchr(file, ':');
	unsigned long port;

	if (!colon || (strncmp(file, "TCP ", 4) != 0 && strncmp(file, "UDP ", 4) != 0))
		return NULL;
	port = strtoul(colon + 1, NULL, 10);
	for (size_t i = 0; i < sizeof(LISTENERS) / sizeof(LISTENERS[0]); i++)
		if (LISTENERS[i].port == port)
			return LISTENERS[i].name;
	return NULL;
}
