import com.amazonaws.services.dynamodbv2.local.server.LocalDynamoDBRequestHandler;
import com.amazonaws.services.dynamodbv2.local.server.LocalDynamoDBServerHandler;
import java.net.InetSocketAddress;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/**
 * DynamoDB Local in memory, on the loopback alone: its own command line listens on every interface. Prints the port that
 * was free, and ends when its standard input does.
 */
class DynamoDBLocal {
    public static void main(String[] arguments) throws Exception {
        var requests = new LocalDynamoDBRequestHandler(0, true, null, false, false);
        var server = new Server(new InetSocketAddress("127.0.0.1", 0));
        server.setHandler(new LocalDynamoDBServerHandler(requests, null));
        server.start();
        System.out.println(((ServerConnector) server.getConnectors()[0]).getLocalPort());
        System.in.transferTo(java.io.OutputStream.nullOutputStream());
        System.exit(0);
    }
}
