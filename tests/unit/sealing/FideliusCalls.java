import com.mgrm.fidelius.FideliusApplication;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Many calls of fidelius-cli in one JVM: each line of a file is a call, its arguments parted by tabs. */
public class FideliusCalls {
    public static void main(String[] args) throws Exception {
        for (String call : Files.readAllLines(Path.of(args[0]), StandardCharsets.UTF_8)) {
            FideliusApplication.main(call.split("\t", -1));
            System.out.println(args[1]);
        }
    }
}
