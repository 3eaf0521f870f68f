import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * What bizumctl balance --group does, on Kafka Streams: the balance of each account after each of its messages, exactly
 * once. It ends when what the topic held at its start is committed. Messages are taken to be good and written as they
 * came, which spares it checks.
 * A SETTING is any of Kafka Streams: num.stream.threads=2. Its cache is on if its size is given.
 */
public class Streams {
  private static final String USAGE = "usage: Streams TOPIC OUTPUT GROUP FOLDER rocksdb|memory [SETTING=VALUE]...";

  /** When the first message was processed, by System.nanoTime. */
  private static volatile long first;

  public static void main(String[] args) throws Exception {
    long start = System.nanoTime();
    if (args.length < 5) {
      System.err.println(USAGE);
      System.exit(2);
    }
    String topic = args[0], group = args[2];
    Properties settings = new Properties();
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("BIZUMCTL_BROKERS"));
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, group);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, args[3]);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    settings.put("auto.offset.reset", "earliest");
    for (String setting : Arrays.asList(args).subList(5, args.length)) {
      String[] parts = setting.split("=", 2);
      settings.put(parts[0], parts[1]);
    }
    // Without a cache, the default of the Processor API, a balance is written once a message; with one, once a commit.
    // That is faster with few accounts and slower with many.
    boolean cached = settings.containsKey(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG);

    try (Admin admin = Admin.create(Map.of("bootstrap.servers", System.getenv("BIZUMCTL_BROKERS")));
        KafkaStreams streams = new KafkaStreams(topology(topic, args[1], args[4], cached), settings)) {
      Map<TopicPartition, Long> ends = ends(admin, topic);
      streams.start();
      while (!committed(admin, group, ends)) {
        if (streams.state().hasCompletedShutdown()) {
          throw new IllegalStateException("Kafka Streams ended before the topic did");
        }
        Thread.sleep(10);
      }
      double seconds = (System.nanoTime() - first) / 1e9;
      long messages = ends.values().stream().mapToLong(Long::longValue).sum();
      streams.close();
      System.out.printf("%d messages committed in %.3f s, %.1f a second; the whole took %.3f s%n", messages, seconds,
          messages / seconds, (System.nanoTime() - start) / 1e9);
    }
  }

  private static Topology topology(String topic, String output, String store, boolean cached) {
    var supplier = switch (store) {
      case "rocksdb" -> Stores.persistentKeyValueStore("balances");
      case "memory" -> Stores.inMemoryKeyValueStore("balances");
      default -> throw new IllegalArgumentException(USAGE);
    };
    var balances = Stores.keyValueStoreBuilder(supplier, Serdes.ByteArray(), Serdes.Long());
    if (cached) {
      balances.withCachingEnabled();
    }
    return new Topology()
        .addSource("messages", new ByteArrayDeserializer(), new ByteArrayDeserializer(), topic)
        .addProcessor("book", Book::new, "messages")
        .addStateStore(balances, "book")
        .addSink("entries", output, new ByteArraySerializer(), new ByteArraySerializer(), "book");
  }

  private static Map<TopicPartition, Long> ends(Admin admin, String topic) throws Exception {
    var latest = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().stream()
        .collect(Collectors.toMap(p -> new TopicPartition(topic, p.partition()), p -> OffsetSpec.latest()));
    Map<TopicPartition, Long> ends = new HashMap<>();
    admin.listOffsets(latest).all().get().forEach((partition, end) -> ends.put(partition, end.offset()));
    return ends;
  }

  /** Whether the group's positions have reached the ends: they move when a transaction is committed. */
  private static boolean committed(Admin admin, String group, Map<TopicPartition, Long> ends) throws Exception {
    Map<TopicPartition, OffsetAndMetadata> positions =
        admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
    return ends.entrySet().stream().allMatch(end -> {
      OffsetAndMetadata position = positions.get(end.getKey());
      return end.getValue() == 0 || position != null && position.offset() >= end.getValue();
    });
  }

  /** The accounts of a partition. Keys and values stay bytes: text is decoded nowhere. */
  private static final class Book implements Processor<byte[], byte[], byte[], byte[]> {
    private static final byte[] ACCOUNT = "cuenta".getBytes(StandardCharsets.UTF_8);
    private static final long OPENING = 2000_00;

    private final byte[] tail = new byte[48]; // ;balance;offset, written from its end
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<byte[], Long> balances;

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
      this.context = context;
      balances = context.getStateStore("balances");
    }

    @Override
    public void process(Record<byte[], byte[]> message) {
      if (first == 0) {
        first = System.nanoTime();
      }
      byte[] account = message.key() == null || message.key().length == 0 ? ACCOUNT : message.key();
      Long before = balances.get(account);
      long balance = Math.addExact(before == null ? OPENING : before, cents(message.value()));
      balances.put(account, balance);
      byte[] entry = entry(message.value(), balance, context.recordMetadata().get().offset());
      context.forward(new Record<>(account, entry, message.timestamp(), message.headers()));
    }

    /** Of Nombre;Cantidad;Concepto;tipo, what the balance changes by: ENVIO takes, RECEPCIÓN adds. */
    private static long cents(byte[] value) {
      int at = 0;
      while (value[at] != ';') {
        at++;
      }
      long cents = 0;
      int decimals = -1; // none yet, nor a mark
      for (at++; value[at] != ';'; at++) {
        if (value[at] == '.' || value[at] == ',') {
          decimals = 0;
          continue;
        }
        cents = cents * 10 + value[at] - '0';
        if (decimals >= 0) {
          decimals++;
        }
      }
      for (decimals = Math.max(decimals, 0); decimals < 2; decimals++) {
        cents *= 10;
      }
      int kind = value.length;
      while (value[kind - 1] != ';') {
        kind--;
      }
      return value[kind] == 'R' || value[kind] == 'r' ? cents : -cents;
    }

    private byte[] entry(byte[] value, long balance, long offset) {
      int at = number(offset, tail.length);
      tail[--at] = ';';
      long cents = Math.abs(balance);
      tail[--at] = (byte) ('0' + cents % 10);
      tail[--at] = (byte) ('0' + cents / 10 % 10);
      tail[--at] = '.';
      at = number(cents / 100, at);
      if (balance < 0) {
        tail[--at] = '-';
      }
      tail[--at] = ';';
      byte[] entry = Arrays.copyOf(value, value.length + tail.length - at);
      System.arraycopy(tail, at, entry, value.length, tail.length - at);
      return entry;
    }

    /** Writes n so that it ends before the given place, and answers where it begins. */
    private int number(long n, int at) {
      do {
        tail[--at] = (byte) ('0' + n % 10);
        n /= 10;
      } while (n > 0);
      return at;
    }
  }
}
