import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.streaming.Trigger;

/**
 * A job of Spark Structured Streaming that writes a topic as Parquet files: key, value, and the headers n and run. It
 * goes on until it is killed.
 */
public class SparkFiles {
  public static void main(String[] args) throws Exception {
    if (args.length != 3) {
      System.err.println("usage: SparkFiles TOPIC FOLDER CHECKPOINT");
      System.exit(2);
    }
    SparkSession spark =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "2")
            .getOrCreate();
    spark
        .readStream()
        .format("kafka")
        .option("kafka.bootstrap.servers", System.getenv("BIZUMCTL_BROKERS"))
        .option("subscribe", args[0])
        .option("startingOffsets", "earliest")
        .option("includeHeaders", "true")
        .load()
        .selectExpr(
            "cast(key as string) as key", "cast(value as string) as value", header("n"), header("run"))
        .writeStream()
        .format("parquet")
        .option("path", args[1])
        .option("checkpointLocation", args[2])
        .trigger(Trigger.ProcessingTime("500 milliseconds"))
        .start()
        .awaitTermination();
  }

  private static String header(String name) {
    return "cast(element_at(filter(headers, h -> h.key = '%s'), 1).value as string) as %s".formatted(name, name);
  }
}
