import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;

/** Copies a topic with Kafka Streams, until it is killed. */
public class Copy {
  public static void main(String[] args) {
    if (args.length != 4) {
      System.err.println("usage: Copy FROM TO at_least_once|exactly_once_v2 FOLDER");
      System.exit(2);
    }
    Properties settings = new Properties();
    settings.putAll(
        Map.of(
            StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("BIZUMCTL_BROKERS"),
            StreamsConfig.APPLICATION_ID_CONFIG, "copy-" + args[1],
            StreamsConfig.PROCESSING_GUARANTEE_CONFIG, args[2],
            StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 2000,
            StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.ByteArray().getClass(),
            StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArray().getClass(),
            StreamsConfig.STATE_DIR_CONFIG, args[3],
            StreamsConfig.REPLICATION_FACTOR_CONFIG, 1,
            "auto.offset.reset", "earliest",
            "session.timeout.ms", 6000));
    StreamsBuilder topology = new StreamsBuilder();
    topology.stream(args[0]).to(args[1]);
    new KafkaStreams(topology.build(), settings).start();
  }
}
